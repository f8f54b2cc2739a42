"""Breaches on the desk: entered when noticed, judged, told to the authority and to people, closed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tollkeeper.core.refusal import Refused
from tollkeeper.flows import breach as flow
from tollkeeper.privacy import breaches
from tollkeeper.web.access import for_privacy
from tollkeeper.web.desk.deeds import actor, attempt
from tollkeeper.web.desk.fields import record_sets
from tollkeeper.web.downloads import as_file

_KINDS = [
    ("seen", gettext_lazy("Somebody saw what they should not")),
    ("gone", gettext_lazy("Data is gone")),
    ("changed", gettext_lazy("Data was altered")),
    ("unavailable", gettext_lazy("Nobody can get at the data")),
    ("drill", gettext_lazy("A rehearsal")),
]
RISKS = {
    "unlikely": gettext_lazy("Harm to people is unlikely: nobody has to be told"),
    "risk": gettext_lazy("A risk: the authority has to know"),
    "high": gettext_lazy("A high risk: the authority and the people concerned have to know"),
}
_NO_NAMES = gettext_lazy("Name nobody: who was concerned is listed by itself.")
_MOMENT = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")


def _moment(label: Any, help_text: Any) -> forms.DateTimeField:
    return forms.DateTimeField(label=label, required=False, widget=_MOMENT, help_text=help_text)


class Noticed(forms.Form):
    """What is known in the first minutes."""

    kind = forms.ChoiceField(label=gettext_lazy("What happened"), choices=_KINDS)
    facts = forms.CharField(
        label=gettext_lazy("As far as it is known"), required=False, max_length=breaches.MAX_WORDS,
        widget=forms.Textarea(attrs={"rows": 5}), help_text=_NO_NAMES,
    )  # fmt: skip
    record_sets = forms.MultipleChoiceField(
        label=gettext_lazy("Which data"), choices=record_sets, required=False,
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    rows_from = _moment(gettext_lazy("Only rows since (UTC)"), gettext_lazy("Empty: all of them."))
    rows_until = _moment(gettext_lazy("Only rows before (UTC)"), "")
    noticed_at = _moment(
        gettext_lazy("Noticed at (UTC)"), gettext_lazy("Empty: now. The clock runs from this moment.")
    )


class Judged(forms.Form):
    """How grave it is, and what is to be said of it."""

    risk = forms.ChoiceField(
        label=gettext_lazy("Risk for people"), choices=list(RISKS.items()), widget=forms.RadioSelect
    )
    facts = forms.CharField(
        label=gettext_lazy("What is known now"), required=False, max_length=breaches.MAX_WORDS,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy("Added to what is there: effects, and what was done. Name nobody."),
    )  # fmt: skip
    words = forms.CharField(
        label=gettext_lazy("What the people concerned are written"), required=False,
        max_length=breaches.MAX_WORDS, widget=forms.Textarea(attrs={"rows": 6}),
        help_text=gettext_lazy("Plain words: what happened, what may follow, what we do, what they can do."),
    )  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
@for_privacy
def enter(request: HttpRequest) -> HttpResponse:
    """GET and POST /desk/privacy/breaches/new/"""
    form = Noticed(request.POST if request.method == "POST" else None, auto_id="breach_%s")
    if form.is_bound and form.is_valid():
        given = form.cleaned_data
        try:
            number = flow.notice(
                given["kind"], actor=actor(request), facts=given["facts"],
                scope=tuple(given["record_sets"]), rows_from=given["rows_from"],
                rows_until=given["rows_until"], noticed_at=given["noticed_at"],
            )  # fmt: skip
        except Refused as no:
            form.add_error(None, str(no))
        else:
            messages.success(request, _("Entered: the clock runs. Judge now how grave it is."))
            return redirect("desk_privacy_breach", number)
    return render(request, "desk/breach_new.html", {"form": form}, status=422 if form.is_bound else 200)


def _page(request: HttpRequest, number: str, form: Judged | None = None) -> HttpResponse:
    row = breaches.find_breach(number)
    if row is None:
        raise Http404
    now = timezone.now()
    waiting, reached, lost = breaches.telling(number)
    first = {"risk": row.risk or "risk", "words": row.words}
    values = {
        "row": row,
        "risk": RISKS.get(row.risk, ""),
        "parts": breaches.concerned(row.scope, row.rows_from, row.rows_until),
        "waiting": waiting,
        "reached": reached,
        "lost": lost,
        "form": form or Judged(initial=first, auto_id="judged_%s"),
        "hours": round((row.authority_due_at - now) / dt.timedelta(hours=1)),
        "late": row.authority_waits and row.authority_due_at < now,
    }
    return render(request, "desk/breach.html", values, status=422 if form else 200)


@require_safe
@for_privacy
def page(request: HttpRequest, number: str) -> HttpResponse:
    """GET /desk/privacy/breaches/<number>/: the facts, the clock, and the step that comes next."""
    return _page(request, number)


@require_POST
@for_privacy
def judge(request: HttpRequest, number: str) -> HttpResponse:
    """POST /desk/privacy/breaches/<number>/judge/"""
    form = Judged(request.POST, auto_id="judged_%s")
    if form.is_valid():
        try:
            breaches.judge(number, **form.cleaned_data, actor=actor(request))
        except Refused as no:
            form.add_error(None, str(no))
        else:
            messages.success(request, _("Saved."))
            return redirect("desk_privacy_breach", number)
    return _page(request, number, form)


@require_POST
@for_privacy
def step(request: HttpRequest, number: str, verb: str) -> HttpResponse:
    """POST /desk/privacy/breaches/<number>/<verb>/: authority, people, list or close."""
    steps: dict[str, Callable[[], object]] = {
        "authority": lambda: breaches.note_step(number, "authority_told", actor(request)),
        "people": lambda: flow.tell_people(number, actor(request)),
        "list": lambda: breaches.list_people(number, actor(request)),
        "close": lambda: breaches.note_step(number, "closed", actor(request)),
    }
    if verb not in steps:
        raise Http404
    attempt(request, steps[verb], _("Saved."))
    found = breaches.find_breach(number)
    return redirect("desk_privacy_breach", number) if found else redirect("desk_privacy")


@require_safe
@for_privacy
def draft(request: HttpRequest, number: str) -> HttpResponse:
    """GET /desk/privacy/breaches/<number>/draft/: what the authority wants to know, as a file."""
    try:
        return as_file(flow.draft(number), f"{number}.md", "text/markdown; charset=utf-8")
    except Refused:
        raise Http404 from None


_AT = "desk/privacy/breaches/"
urlpatterns = [
    path(f"{_AT}new/", enter, name="desk_privacy_breach_new"),
    path(f"{_AT}<str:number>/", page, name="desk_privacy_breach"),
    path(f"{_AT}<str:number>/draft/", draft, name="desk_privacy_breach_draft"),
    path(f"{_AT}<str:number>/judge/", judge, name="desk_privacy_breach_judge"),
    path(f"{_AT}<str:number>/<slug:verb>/", step, name="desk_privacy_breach_step"),
]
