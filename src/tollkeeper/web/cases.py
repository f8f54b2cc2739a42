"""A request without an account: how it stands, showing who one is, and fetching what one asked for."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from tollkeeper.core import identity
from tollkeeper.core.refusal import Refused
from tollkeeper.flows import subject_request as flow
from tollkeeper.kit.purposes import serving
from tollkeeper.privacy import answering, copies, mandates, policy_queries, requests
from tollkeeper.web import copies as fetching
from tollkeeper.web.access import again, for_customer
from tollkeeper.web.throttle import allow

_AN_HOUR = 3600


class Fact(forms.Form):
    """Something that only the owner of an account knows."""

    fact = forms.CharField(
        label=gettext_lazy("Number of an order or an invoice, or the last four characters of a key"),
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


def _headline(step: str) -> str:
    said = {
        "agent": _("Who asks for you?"),
        "address": _("Is this your request?"),
        "more": _("One more step"),
        "person": _("We write to you"),
        "copy": _("Your copy"),
        "making": _("Your copy"),
        "over": _("Closed"),
    }
    return said.get(step, _("We are at it"))


def _standing(row: requests.RequestRow) -> str:
    if row.state == "refused":
        return _("We could not do it; the reason and where you can complain stand below.")
    if row.state in ("withdrawn", "lapsed"):
        return _("It was taken back, or nobody confirmed it.")
    if row.answered_at:
        return _("It is done.")
    return _("It has arrived, and the time for the answer runs.")


def _step(row: requests.RequestRow, copy: copies.CopyRow | None, mandate: Any) -> str:
    """What comes next for the writer."""
    if copy is not None and copy.state in ("queued", "building"):
        return "making"
    if copy is not None and copy.state == "ready":
        return "copy"
    if flow.is_over(row.state):
        return "over"
    if mandate is not None and mandate.confirmed_at is None and mandate.revoked_at is None:
        return "agent"
    if row.known:
        return "wait"
    if row.level < identity.ADDRESS:
        return "address"
    return "more" if answering.tries_left(row.number) else "person"


def _act(request: HttpRequest, number: str, secret: str) -> str:
    """Do what a button says; a sentence for the writer."""
    act = request.POST.get("act", "")
    if act == "address":
        flow.show_address(number, secret)
        return _("Thank you, we know that the address is yours.")
    if act == "agent_yes":
        flow.confirm_agent(number, secret)
        return _("Thank you. They may act for you in this.")
    if act == "agent_no":
        flow.refuse_agent(number, secret)
        return _("Nothing is done, and they are told.")
    if act == "withdraw":
        flow.withdraw(number, secret)
        return _("You have taken your request back.")
    return ""


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def case(request: HttpRequest, number: str, secret: str) -> HttpResponse:
    """GET and POST /privacy/request/<number>/<secret>/: a program that only opens links changes nothing."""
    if not requests.check_case(number, secret):
        raise Http404
    form = Fact(request.POST if request.POST.get("act") == "fact" else None, auto_id="case_%s")
    if request.method == "POST":
        if not allow(request, "case", 30, _AN_HOUR):
            return render(request, "429.html", status=429)
        try:
            if not form.is_bound:
                messages.success(request, _act(request, number, secret) or _("Nothing was changed."))
                return redirect(request.path)
            if form.is_valid():
                left = flow.show_fact(number, secret, form.cleaned_data["fact"])
                if left is None:
                    messages.success(request, _("Thank you, that is right."))
                    return redirect(request.path)
                form.add_error("fact", _("This does not belong to the account."))
        except Refused as no:
            messages.error(request, str(no))
            return redirect(request.path)
    return _shown(request, number, secret, form)


def _shown(request: HttpRequest, number: str, secret: str, form: Fact) -> HttpResponse:
    row = requests.find_request(number)
    assert row is not None
    found, mandate = copies.find_by_request(number), mandates.find_mandate(number)
    copy = found[0] if found and row.level >= max(row.needs, identity.ADDRESS) else None
    step = _step(row, copy, mandate)
    with serving("legal"):
        reply = requests.get_words(number).reply if step == "over" else None
    claim = reverse("console_privacy_claim", args=[number, secret])
    values = {
        "row": row,
        "form": form,
        "copy": copy,
        "mandate": mandate,
        "step": step,
        "building": step == "making",
        "headline": _headline(step),
        "standing": _standing(row),
        "reply": reply,
        "tries": answering.tries_left(number),
        "sign_in": claim
        if request.user.is_authenticated
        else f"{reverse('account_login')}?{urlencode({'next': claim})}",
        "fetch": reverse("privacy_case_copy", args=[number, secret]),
        "policy": policy_queries.get_current().policy,
    }
    return render(request, "policy/case.html", values, status=422 if form.is_bound else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def case_copy(request: HttpRequest, number: str, secret: str) -> HttpResponse:
    """GET and POST /privacy/request/<number>/<secret>/copy/: a code by mail, then the file."""
    row = requests.find_request(number) if requests.check_case(number, secret) else None
    found = copies.find_by_request(number)
    if row is None or found is None or row.level < max(row.needs, identity.ADDRESS):
        raise Http404
    back = reverse("privacy_case", args=[number, secret])
    return fetching.fetch(request, found[1], found[0].number, back, base="layouts/public.html")


@require_http_methods(["GET", "HEAD", "POST"])
@again
@for_customer
def claim(request: HttpRequest, customer_id: int, number: str, secret: str) -> HttpResponse:
    """GET /console/privacy/claim/<number>/<secret>/: the owner signed in and gave the password again."""
    user: Any = request.user
    if not requests.check_case(number, secret):
        raise Http404
    try:
        flow.show_address(number, secret)
        flow.show_sign_in(number, user.pk)
    except Refused as no:
        messages.error(request, str(no))
    else:
        messages.success(request, _("Thank you, we know that it is you."))
    return redirect("privacy_case", number, secret)


urlpatterns = [
    path("privacy/request/<str:number>/<str:secret>/", case, name="privacy_case"),
    path("privacy/request/<str:number>/<str:secret>/copy/", case_copy, name="privacy_case_copy"),
    path("console/privacy/claim/<str:number>/<str:secret>/", claim, name="console_privacy_claim"),
]
