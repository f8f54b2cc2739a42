"""Demands of authorities on the desk: entered by one person, checked by another, given out once."""

from __future__ import annotations

import tempfile
from pathlib import Path
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

from tollkeeper.accounts import queries as accounts
from tollkeeper.core.refusal import Refused
from tollkeeper.flows import authorities as demands
from tollkeeper.flows import statutory
from tollkeeper.payments.paper import NoFont
from tollkeeper.payments.queries import NoSuchDocument
from tollkeeper.privacy import authorities
from tollkeeper.web.access import for_privacy
from tollkeeper.web.desk.deeds import actor, attempt
from tollkeeper.web.desk.fields import DAY, record_sets
from tollkeeper.web.downloads import as_file

_KINDS = [
    ("data", gettext_lazy("Data of a person is to be given out")),
    ("preserve", gettext_lazy("Data of a person is only to be kept")),
    ("books", gettext_lazy("A tax audit of a fiscal year")),
]


class Demand(forms.Form):
    """The facts of a demand, as its letter states them."""

    kind = forms.ChoiceField(label=gettext_lazy("What is demanded"), choices=_KINDS)
    subject = forms.CharField(
        label=gettext_lazy("Person"), required=False, max_length=254,
        help_text=gettext_lazy("Address or customer number; empty for an audit."),
    )  # fmt: skip
    year = forms.IntegerField(label=gettext_lazy("Fiscal year, for an audit"), required=False, min_value=2000)
    record_sets = forms.MultipleChoiceField(
        label=gettext_lazy("Scope"), choices=record_sets, required=False,
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    authority = forms.CharField(label=gettext_lazy("Authority"), max_length=120)
    country = forms.CharField(label=gettext_lazy("Country, two letters"), min_length=2, max_length=2)
    ground = forms.CharField(label=gettext_lazy("Law or order it relies on"), max_length=200)
    due_on = forms.DateField(label=gettext_lazy("Answer by"), required=False, widget=DAY)
    gag_until = forms.DateField(
        label=gettext_lazy("The person may not be told before the end of"), required=False, widget=DAY,
        help_text=gettext_lazy("A gag without an end is refused: ask for one."),
    )  # fmt: skip


class Looked(forms.Form):
    """What the second person has to find."""

    form = forms.BooleanField(label=gettext_lazy("It is signed, dated and addressed to us"))
    jurisdiction = forms.BooleanField(label=gettext_lazy("This authority may demand it from us"))
    treaty = forms.BooleanField(
        label=gettext_lazy("It is of our country, or a treaty covers it (Art. 48 GDPR)")
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_privacy
def enter(request: HttpRequest) -> HttpResponse:
    """GET and POST /desk/privacy/authorities/new/"""
    form = Demand(request.POST if request.method == "POST" else None, auto_id="demand_%s")
    if form.is_bound and form.is_valid():
        given = form.cleaned_data
        subject = accounts.find_person(given["subject"].strip()) if given["subject"] else None
        if given["subject"] and subject is None:
            form.add_error("subject", _("There is nobody of this address or number."))
        elif subject is None and given["kind"] != "books":
            form.add_error("subject", _("A demand of this kind is about a person."))
        else:
            try:
                number = authorities.open_case(
                    subject, authority=given["authority"], country=given["country"],
                    ground=given["ground"], kind=given["kind"], record_sets=tuple(given["record_sets"]),
                    opened_by=actor(request), due_on=given["due_on"], gag_until=given["gag_until"],
                    year=given["year"],
                )  # fmt: skip
            except Refused as no:
                form.add_error(None, str(no))
            else:
                messages.success(request, _("Entered. Another operator checks it now."))
                return redirect("desk_privacy_authority", number)
    return render(request, "desk/authority_new.html", {"form": form}, status=422 if form.is_bound else 200)


@require_safe
@for_privacy
def case(request: HttpRequest, number: str) -> HttpResponse:
    """GET /desk/privacy/authorities/<number>/: the facts, and the one step that comes next."""
    found = authorities.find_case(number)
    if found is None:
        raise Http404
    books: Any = ()
    if found.kind == "books" and found.state == "released":
        try:
            books = statutory.list_books(number)
        except Refused:
            books = None  # its thirty days are over
    person = actor(request)
    values = {
        "case": found,
        "mine": authorities.opened_by(number, person) and not accounts.is_only_operator(person),
        "looked": Looked(auto_id="looked_%s"),
        "books": books,
        "days": authorities.OPEN_DAYS,
        "today": timezone.now().date(),
    }
    return render(request, "desk/authority.html", values)


@require_POST
@for_privacy
def check(request: HttpRequest, number: str) -> HttpResponse:
    """POST /desk/privacy/authorities/<number>/check/"""
    form = Looked(request.POST)
    form.is_valid()
    looked = {name: bool(form.cleaned_data.get(name)) for name in ("form", "jurisdiction", "treaty")}
    said = _("Checked. What is in its scope may be given out now.")
    attempt(request, lambda: demands.check(number, actor(request), **looked), said)
    return redirect("desk_privacy_authority", number)


@require_POST
@for_privacy
def refuse(request: HttpRequest, number: str) -> HttpResponse:
    """POST /desk/privacy/authorities/<number>/refuse/"""
    said = _("Refused: nothing is given out.")
    attempt(request, lambda: authorities.refuse(number, actor(request)), said)
    return redirect("desk_privacy_authority", number)


@require_POST
@for_privacy
def give(request: HttpRequest, number: str) -> HttpResponse:
    """POST /desk/privacy/authorities/<number>/give/: the file, which is kept nowhere here."""
    found = authorities.find_case(number)
    suffix = "zip" if found is not None and found.kind == "books" else "json"
    try:
        with tempfile.TemporaryDirectory(prefix="tollkeeper-case-") as folder:
            target = Path(folder) / f"{number}.{suffix}"
            demands.give(number, actor(request), target)
            return as_file(target.read_bytes(), target.name, f"application/{suffix}")
    except Refused as no:
        messages.error(request, str(no))
        return redirect("desk_privacy_authority" if found else "desk_privacy", *([number] if found else []))


@require_safe
@for_privacy
def book_pdf(request: HttpRequest, number: str, label: str) -> HttpResponse:
    """GET /desk/privacy/authorities/<number>/documents/<label>/: one document from the vault."""
    try:
        made = statutory.pdf_for(number, actor(request), label)
    except (Refused, NoSuchDocument, NoFont):
        raise Http404 from None
    return as_file(made, f"{label}.pdf", "application/pdf")


_AT = "desk/privacy/authorities/"
urlpatterns = [
    path(f"{_AT}new/", enter, name="desk_privacy_authority_new"),
    path(f"{_AT}<str:number>/", case, name="desk_privacy_authority"),
    path(f"{_AT}<str:number>/check/", check, name="desk_privacy_authority_check"),
    path(f"{_AT}<str:number>/refuse/", refuse, name="desk_privacy_authority_refuse"),
    path(f"{_AT}<str:number>/give/", give, name="desk_privacy_authority_give"),
    path(f"{_AT}<str:number>/documents/<str:label>/", book_pdf, name="desk_privacy_authority_pdf"),
]
