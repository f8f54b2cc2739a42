"""Letters on the desk: what waits, one thread, the answer."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tollkeeper.support import queries as tickets
from tollkeeper.support import services as support
from tollkeeper.web.access import for_staff


class Answer(forms.Form):
    """What the shop writes back."""

    body = forms.CharField(
        label=gettext_lazy("Answer"), max_length=support.MAX_BODY, widget=forms.Textarea(attrs={"rows": 7})
    )


@require_safe
@for_staff
def ticket_list(request: HttpRequest) -> HttpResponse:
    """GET /desk/tickets/: open ones, the most urgent first."""
    return render(
        request, "desk/tickets.html", {"tickets": tickets.open_tickets(), "counts": tickets.counts()}
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def ticket(request: HttpRequest, number: str) -> HttpResponse:
    """GET shows a thread, POST answers it."""
    found = tickets.find_thread(number)
    if found is None:
        raise Http404
    form = Answer(request.POST if request.method == "POST" else None, auto_id="answer_%s")
    if request.method == "POST" and form.is_valid():
        try:
            support.add_message(number, form.cleaned_data["body"], from_us=True)
        except support.Refused as no:
            form.add_error(None, str(no))
        else:
            messages.success(request, _("Answered."))
            return redirect("desk_ticket", number)
    head, thread = found
    values = {"ticket": head, "messages_of": thread, "form": form, "desk": True}
    return render(request, "desk/ticket.html", values, status=422 if form.is_bound else 200)


@require_POST
@for_staff
def ticket_close(request: HttpRequest, number: str) -> HttpResponse:
    """POST /desk/tickets/<number>/close/"""
    if tickets.find_thread(number) is None:
        raise Http404
    try:
        support.close_ticket(number)
    except support.Refused as no:
        messages.error(request, str(no))
        return redirect("desk_ticket", number)
    messages.success(request, _("Closed."))
    return redirect("desk_tickets")
