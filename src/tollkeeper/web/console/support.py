"""Letters of a customer: list, write, read on, answer."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from tollkeeper.core.refusal import Refused
from tollkeeper.flows import helpdesk
from tollkeeper.support import queries as tickets
from tollkeeper.support import services as support
from tollkeeper.web.access import for_customer
from tollkeeper.web.throttle import allow
from tollkeeper.web.uploads import ManyFiles, download

_A_DAY = 86_400


class NewTicket(forms.Form):
    """A question or a complaint."""

    title = forms.CharField(label=gettext_lazy("What is it about?"), max_length=support.MAX_TITLE)
    body = forms.CharField(
        label=gettext_lazy("Your message"),
        max_length=support.MAX_BODY,
        help_text=gettext_lazy(
            "A request id from your call log helps. Please no passwords, keys or card numbers."
        ),
        widget=forms.Textarea(attrs={"rows": 8}),
    )
    attached = ManyFiles()
    complaint = forms.BooleanField(label=gettext_lazy("This is a complaint"), required=False)


class Reply(forms.Form):
    """One more message."""

    body = forms.CharField(
        label=gettext_lazy("Your answer"),
        max_length=support.MAX_BODY,
        widget=forms.Textarea(attrs={"rows": 5}),
    )
    attached = ManyFiles()


@require_safe
@for_customer
def ticket_list(request: HttpRequest, customer_id: int) -> HttpResponse:
    """GET /console/support/"""
    return render(request, "console/tickets.html", {"tickets": tickets.list_tickets(customer_id)})


@require_http_methods(["GET", "HEAD", "POST"])
@for_customer
def ticket_new(request: HttpRequest, customer_id: int) -> HttpResponse:
    """GET and POST /console/support/new/"""
    posted = request.method == "POST"
    form = NewTicket(request.POST if posted else None, request.FILES if posted else None, auto_id="ticket_%s")
    person: Any = request.user
    if request.method == "POST" and form.is_valid():
        if not allow(request, "ticket", 20, _A_DAY):
            return render(request, "429.html", status=429)
        try:
            number = helpdesk.write(
                form.cleaned_data["title"],
                form.cleaned_data["body"],
                customer_id=customer_id,
                owner=person.pk,
                complaint=form.cleaned_data["complaint"],
                extra=support.Extra(get_language() or "en", files=tuple(form.cleaned_data["attached"])),
            )
        except Refused as no:
            form.add_error(None, str(no))
        else:
            messages.success(request, _("We have your message and answer by e-mail and here."))
            return redirect("console_ticket", number)
    return render(request, "console/ticket_new.html", {"form": form}, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@for_customer
def ticket(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """GET shows a thread, POST adds to it."""
    found = tickets.find_thread(number, customer_id)
    if found is None:
        raise Http404
    posted = request.method == "POST"
    form = Reply(request.POST if posted else None, request.FILES if posted else None, auto_id="reply_%s")
    if posted and form.is_valid():
        try:
            helpdesk.write_back(number, form.cleaned_data["body"], form.cleaned_data["attached"])
        except Refused as no:
            form.add_error(None, str(no))
        else:
            return redirect("console_ticket", number)
    head, thread = found
    values = {"ticket": head, "messages_of": thread, "form": form}
    return render(request, "console/ticket.html", values, status=422 if form.is_bound else 200)


@require_safe
@for_customer
def ticket_file(request: HttpRequest, customer_id: int, number: str, file_id: int) -> HttpResponse:
    """GET /console/support/<number>/files/<id>/: a file of one's own thread."""
    found = tickets.find_file(number, file_id, customer_id)
    if found is None:
        raise Http404
    return download(*found)
