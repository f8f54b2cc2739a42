"""The privacy centre: one's own data, one's choices, who received what, and the end of the account."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tollkeeper.core.refusal import Refused
from tollkeeper.flows import copies as copy_flow
from tollkeeper.flows import erasure
from tollkeeper.flows import subject_request as requesting
from tollkeeper.flows.request_letters import link_to
from tollkeeper.kit import egress
from tollkeeper.privacy import (
    choices,
    copies,
    corrections,
    erasing,
    periods,
    policy_queries,
    requests,
    restrictions,
)
from tollkeeper.privacy.copying import WHOLE, Span
from tollkeeper.privacy.rendering import phrases
from tollkeeper.web import copies as fetching
from tollkeeper.web.access import again, for_customer
from tollkeeper.web.throttle import allow

_BY_INTEREST = "interest"

SHOWN_COPIES = 5


class Closing(forms.Form):
    """The word that the account shall end."""

    sure = forms.BooleanField(label=gettext_lazy("Delete my account and all data that no law asks to keep."))
    at_once = forms.BooleanField(
        label=gettext_lazy("Do it at once: I do not want time to think again."), required=False
    )


def _purposes(user: Any) -> list[dict[str, Any]]:
    """Purposes that one may object to or consent to, with what was chosen."""
    policy = policy_queries.get_current().policy
    return [
        {"name": name, "purpose": purpose, "on": choices.allows(user.pk, name)}
        for name, purpose in policy.purposes.items()
        if purpose.basis in (_BY_INTEREST, "consent")
    ]


class Wish(forms.Form):
    """What has no switch or button of its own."""

    kind = forms.ChoiceField(
        label=gettext_lazy("What do you ask for?"),
        choices=[
            ("rectify", gettext_lazy("Correct what I cannot change myself")),
            ("complaint", gettext_lazy("A complaint about how you handle data")),
            ("know", gettext_lazy("What you know about me (California)")),
            ("limit", gettext_lazy("Limit the use of sensitive data (California)")),
            ("other", gettext_lazy("Something else")),
        ],
    )
    words = forms.CharField(
        label=gettext_lazy("In your own words"),
        required=False,
        max_length=requests.MAX_WORDS,
        help_text=gettext_lazy("Please no identity documents: we do not need them."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )

    def clean(self) -> dict[str, Any]:
        """A correction, a complaint and anything else need words."""
        given = super().clean() or {}
        if given.get("kind") in ("rectify", "complaint", "other") and not given.get("words", "").strip():
            self.add_error("words", _("Please say in a sentence what you mean."))
        return given


_CALIFORNIAN = ("know", "limit")


@require_safe
@for_customer
def centre(request: HttpRequest, customer_id: int) -> HttpResponse:
    """GET /console/privacy/"""
    return _centre(request, Wish(auto_id="wish_%s"))


@require_POST
@for_customer
def ask(request: HttpRequest, customer_id: int) -> HttpResponse:
    """POST /console/privacy/ask/: a request that has no button of its own, with its clock and receipt."""
    user: Any = request.user
    form = Wish(request.POST, auto_id="wish_%s")
    if form.is_valid():
        if not allow(request, "rights", 10, 3600):
            return render(request, "429.html", status=429)
        kind = form.cleaned_data["kind"]
        try:
            number = requesting.ask_signed_in(
                kind,
                user.pk,
                words=form.cleaned_data["words"],
                regime="ccpa" if kind in _CALIFORNIAN else "gdpr",
                language=get_language() or "en",
            )
        except Refused as no:
            form.add_error(None, str(no))
        else:
            messages.success(
                request, _("Thank you. Your request has the number %s. We answer by e-mail.") % number
            )
            return redirect("console_privacy")
    return _centre(request, form, status=422)


def _centre(request: HttpRequest, wish: Wish, status: int = 200) -> HttpResponse:
    user: Any = request.user
    policy = policy_queries.get_current().policy
    values = {
        "purposes": _purposes(user),
        "requests": [(one, link_to(one.number)) for one in requests.requests_of(user.pk)],
        "wish": wish,
        "opted_out": next((one for one in choices.history(user.pk) if one.purpose == choices.GPC), None),
        "received": [
            {
                "who": policy.recipients[one.processor].name
                if one.processor in policy.recipients
                else one.processor,
                "why": policy.purposes[one.purpose].title if one.purpose in policy.purposes else None,
                "row": one,
            }
            for one in egress.received_about(user.pk)
        ],
        "corrections": [
            {
                "row": one,
                "who": policy.recipients[one.processor].name
                if one.processor in policy.recipients
                else one.processor,
            }
            for one in corrections.of_person(user.pk)[:20]
        ],
        "wanted": Wanted(auto_id="wanted_%s"),
        **_copies(user),
        "hours": policy.clocks.closure_cool_off_hours,
        "restricted": restrictions.find(user.pk),
    }
    return render(request, "console/privacy.html", values, status=status)


class Wanted(forms.Form):
    """From which day on: the rest of the copy has no days."""

    since = forms.DateField(
        label=gettext_lazy("Only rows since"),
        required=False,
        help_text=gettext_lazy("Leave it empty for everything."),
        widget=forms.DateInput(attrs={"type": "date"}),
    )


def _copies(user: Any) -> dict[str, Any]:
    found = copies.copies_of(user.pk)[:SHOWN_COPIES]
    return {"copies": found, "building": any(one.state in ("queued", "building") for one in found)}


@require_POST
@again
@for_customer
def copy(request: HttpRequest, customer_id: int) -> HttpResponse:
    """POST /console/privacy/copy/: have a copy of everything made."""
    user: Any = request.user
    form = Wanted(request.POST)
    span = Span(since=form.cleaned_data["since"]) if form.is_valid() else WHOLE
    try:
        copy_flow.ask(user.pk, span=span)
    except Refused as no:
        messages.error(request, str(no))
    else:
        messages.success(request, _("Your copy is being made. We mail you when it is ready."))
    return redirect("console_privacy")


@require_safe
@for_customer
def copy_rows(request: HttpRequest, customer_id: int) -> HttpResponse:
    """GET /console/privacy/copies/: how far the copies are; asked for by the page itself."""
    return render(request, "console/privacy_copies.html", _copies(request.user))


@require_http_methods(["GET", "HEAD", "POST"])
@again
@for_customer
def copy_fetch(request: HttpRequest, customer_id: int, number: str) -> HttpResponse:
    """GET and POST /console/privacy/copies/<number>/: the code, then the file."""
    user: Any = request.user
    return fetching.fetch(request, user.pk, number, reverse("console_privacy"))


@require_POST
@for_customer
def choose(request: HttpRequest, customer_id: int) -> HttpResponse:
    """POST /console/privacy/choose/: object to a purpose, or allow it again; the same act both ways."""
    user: Any = request.user
    name = request.POST.get("purpose", "")
    known = {one["name"]: one for one in _purposes(user)}
    if name in known:
        purpose = known[name]["purpose"]
        if purpose.basis == "consent":
            action = "withdraw" if known[name]["on"] else "give"
        else:
            action = "object" if known[name]["on"] else "allow"
        choices.choose(action, name, subject=user.pk, source="console", text=purpose.text.en)
        messages.success(request, _("Saved. It holds from now on."))
    elif name == choices.GPC:
        said = policy_queries.get_current().policy.regimes.ccpa.sale
        text = said.en if said else ""
        choices.choose("opt_out", name, subject=user.pk, source="console", text=text)
        messages.success(request, _("Saved. It holds from now on."))
    return redirect("console_privacy")


def _goes(subject: Any) -> list[tuple[str, int]]:
    """What an erasure deletes: titles of tables with the person's rows."""
    words = phrases.load("zh" if (get_language() or "").startswith("zh") else "en")
    return [
        (words.find(f"table.{step.label}") or step.label, step.rows)
        for step in erasing.preview(subject)
        if not step.stays
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@again
@for_customer
def close(request: HttpRequest, customer_id: int) -> HttpResponse:
    """GET and POST /console/privacy/close/: what goes, what stays and why; then the end."""
    user: Any = request.user
    form = Closing(request.POST if request.method == "POST" else None, auto_id="close_%s")
    policy = policy_queries.get_current().policy
    if form.is_bound and form.is_valid():
        number = erasure.close_account(user.pk, at_once=form.cleaned_data["at_once"])
        erasure.tell_of_closing(user.pk, number)
        logout(request)
        return redirect("privacy_erasure", number, erasure.secret_of(number))
    kept: dict[str, Any] = {row.rule: policy.keep[row.rule] for row in periods.stays(policy)}
    values = {
        "form": form,
        "kept": kept,
        "goes": _goes(user.pk),
        "hours": policy.clocks.closure_cool_off_hours,
        "clocks": policy.clocks,
    }
    return render(request, "console/close.html", values, status=422 if form.is_bound else 200)
