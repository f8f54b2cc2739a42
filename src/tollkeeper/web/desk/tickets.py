"""Letters on the desk: what waits, one thread, the answer.

Opening a thread is recorded. One that waits, or one's own, opens at once; any other asks why.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tollkeeper.core.refusal import Refused
from tollkeeper.flows import helpdesk
from tollkeeper.support import queries as tickets
from tollkeeper.support import services as support
from tollkeeper.web.access import for_staff
from tollkeeper.web.uploads import ManyFiles, download

REASONS = {
    "handover": gettext_lazy("I take it over from a colleague"),
    "follow_up": gettext_lazy("The customer came back to it"),
    "complaint": gettext_lazy("A complaint about the answer"),
    "rights_request": gettext_lazy("A request about personal data"),
    "abuse": gettext_lazy("A report of misuse"),
    "quality": gettext_lazy("A review of answers"),
}
"""Words for ``support.REASONS``."""


class Answer(forms.Form):
    """What the shop writes back."""

    body = forms.CharField(
        label=gettext_lazy("Answer"), max_length=support.MAX_BODY, widget=forms.Textarea(attrs={"rows": 7})
    )
    attached = ManyFiles()


@require_safe
@for_staff
def ticket_list(request: HttpRequest) -> HttpResponse:
    """GET /desk/tickets/: what waits, the most urgent first; ``?view=`` shows the others."""
    view = request.GET.get("view", "waiting")
    if view not in tickets.VIEWS:
        raise Http404
    views = {
        "waiting": _("Waiting"),
        "answered": _("Answered"),
        "complaints": _("Complaints"),
        "closed": _("Closed"),
    }
    values = {
        "tickets": tickets.desk_tickets(view),
        "counts": tickets.counts(),
        "view": view,
        "views": views,
        "me": _person(request).pk,
    }
    return render(request, "desk/tickets.html", values)


def _person(request: HttpRequest) -> Any:
    return request.user


@require_http_methods(["GET", "HEAD", "POST"])
@for_staff
def ticket(request: HttpRequest, number: str) -> HttpResponse:
    """GET shows a thread, POST answers it."""
    if tickets.find_ticket(number) is None:
        raise Http404
    try:
        support.enter(number, _person(request).pk, request.GET.get("reason", ""))
    except support.NeedsReason:
        return render(request, "desk/ticket_reason.html", {"number": number, "reasons": REASONS}, status=403)
    posted = request.method == "POST"
    form = Answer(request.POST if posted else None, request.FILES if posted else None, auto_id="answer_%s")
    if posted and form.is_valid():
        try:
            helpdesk.answer(
                number, form.cleaned_data["body"], _person(request).pk, form.cleaned_data["attached"]
            )
        except Refused as no:
            form.add_error(None, str(no))
        else:
            messages.success(request, _("Answered."))
            return redirect("desk_ticket", number)
    found = tickets.find_thread(number)
    if found is None:
        raise Http404
    values = {"ticket": found[0], "messages_of": found[1], "form": form, "desk": True}
    return render(request, "desk/ticket.html", values, status=422 if form.is_bound else 200)


@require_safe
@for_staff
def ticket_file(request: HttpRequest, number: str, file_id: int) -> HttpResponse:
    """GET /desk/tickets/<number>/files/<id>/: recorded like the thread."""
    if tickets.find_ticket(number) is None:
        raise Http404
    try:
        support.enter(number, _person(request).pk, request.GET.get("reason", ""))
    except support.NeedsReason:
        return render(request, "desk/ticket_reason.html", {"number": number, "reasons": REASONS}, status=403)
    found = tickets.find_file(number, file_id)
    if found is None:
        raise Http404
    return download(*found)


@require_POST
@for_staff
def ticket_close(request: HttpRequest, number: str) -> HttpResponse:
    """POST /desk/tickets/<number>/close/"""
    if tickets.find_ticket(number) is None:
        raise Http404
    try:
        support.close_ticket(number)
    except Refused as no:
        messages.error(request, str(no))
        return redirect("desk_ticket", number)
    messages.success(request, _("Closed."))
    return redirect("desk_tickets")
