"""Asking about one's data without an account: the public form, and the report about a minor.

Both answer the same whether or not an account exists.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from tollkeeper.core.refusal import Refused
from tollkeeper.flows import minors as minor_flow
from tollkeeper.flows import subject_request as requesting
from tollkeeper.kit import signing
from tollkeeper.privacy import policy_queries, requests
from tollkeeper.web import agents, cases
from tollkeeper.web.desk import privacy as desk_privacy
from tollkeeper.web.desk import requests as desk_requests
from tollkeeper.web.throttle import allow

_AN_HOUR = 3600
KINDS = [
    ("access", gettext_lazy("A copy of my data")),
    ("rectify", gettext_lazy("Correct my data")),
    ("erase", gettext_lazy("Delete my data")),
    ("restrict", gettext_lazy("Stop using my data for now")),
    ("portability", gettext_lazy("My data in a form for other services")),
    ("object", gettext_lazy("I object to a use")),
    ("withdraw", gettext_lazy("I withdraw a consent")),
    ("know", gettext_lazy("What you know about me (California)")),
    ("opt_out", gettext_lazy("Do not sell or share my data (California)")),
    ("limit", gettext_lazy("Limit the use of sensitive data (California)")),
    ("complaint", gettext_lazy("A complaint about how you handle data")),
    ("other", gettext_lazy("Something else")),
]


class Trap(forms.Form):
    """``website`` is a trap: people do not see it, robots fill it in."""

    website = forms.CharField(
        required=False, widget=forms.TextInput(attrs={"autocomplete": "off", "tabindex": "-1"})
    )


class Asked(Trap):
    """What somebody asks, and where to answer."""

    kind = forms.ChoiceField(label=gettext_lazy("What do you ask for?"), choices=KINDS)
    california = forms.BooleanField(label=gettext_lazy("I live in California"), required=False)
    contact = forms.EmailField(
        label=gettext_lazy("Your e-mail address"),
        help_text=gettext_lazy("For the answer. If you have an account, use its address."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    words = forms.CharField(
        label=gettext_lazy("In your own words"),
        required=False,
        max_length=requests.MAX_WORDS,
        help_text=gettext_lazy("Please no identity documents: we do not need them."),
        widget=forms.Textarea(attrs={"rows": 6}),
    )


class Report(Trap):
    """A report that an account belongs to a child."""

    contact = forms.EmailField(
        label=gettext_lazy("Your e-mail address"),
        help_text=gettext_lazy("Deleted after 90 days."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    account = forms.EmailField(
        label=gettext_lazy("E-mail address of the account"),
        required=False,
        help_text=gettext_lazy("With it the account is frozen at once."),
    )
    words = forms.CharField(
        label=gettext_lazy("Whose account is it, and how do you know?"),
        max_length=requests.MAX_WORDS,
        help_text=gettext_lazy("Please no documents."),
        widget=forms.Textarea(attrs={"rows": 6}),
    )


def _taken(request: HttpRequest, form: forms.Form, **facts: Any) -> HttpResponse | None:
    """Take a valid form in; an answer, or None where it has a mistake that the form now shows."""
    if form.cleaned_data["website"]:
        return redirect(request.path)  # a robot: nothing is kept, and it is told nothing
    if not allow(request, "rights", 5, _AN_HOUR):
        return render(request, "429.html", status=429)
    try:
        said = {name: form.cleaned_data[name] for name in ("contact", "words")}
        if facts["kind"] == "minor":
            number = minor_flow.report(**said, account=form.cleaned_data["account"])
        else:
            number = requesting.take_in(**said, **facts, language=get_language() or "en")
    except Refused as no:
        form.add_error(None, str(no))
        return None
    messages.success(request, _("Thank you. Your request has the number %s. We answer by e-mail.") % number)
    return redirect(request.path)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """GET and POST /privacy/request/"""
    if request.user.is_authenticated and request.method != "POST":
        return redirect("console_privacy")
    form = Asked(request.POST if request.method == "POST" else None, auto_id="ask_%s")
    if form.is_bound and form.is_valid():
        regime = "ccpa" if form.cleaned_data["california"] else "gdpr"
        answer = _taken(request, form, kind=form.cleaned_data["kind"], regime=regime)
        if answer is not None:
            return answer
    policy = policy_queries.get_current().policy
    return render(
        request, "policy/ask.html", {"form": form, "policy": policy}, status=422 if form.is_bound else 200
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def report_minor(request: HttpRequest) -> HttpResponse:
    """GET and POST /privacy/minor/"""
    form = Report(request.POST if request.method == "POST" else None, auto_id="report_%s")
    if form.is_bound and form.is_valid():
        answer = _taken(request, form, kind="minor")
        if answer is not None:
            return answer
    policy = policy_queries.get_current().policy
    return render(
        request, "policy/minor.html", {"form": form, "policy": policy}, status=422 if form.is_bound else 200
    )


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def confirm_minor(request: HttpRequest, number: str, secret: str) -> HttpResponse:
    """GET and POST /privacy/minor/<number>/<secret>/: a program that only opens links changes nothing."""
    if request.method != "POST":
        return render(request, "policy/minor_confirm.html", {"number": number})
    try:
        minor_flow.confirm(number, secret)
    except Refused as no:
        messages.error(request, str(no))
    else:
        messages.success(request, _("Thank you. The account is frozen, and a person decides."))
    return redirect("privacy_minor")


@require_safe
def copy_key(request: HttpRequest) -> HttpResponse:
    """GET /privacy/copy-key/: the key that checks the signature of any copy we made."""
    return JsonResponse({"algorithm": "Ed25519", "public_key": signing.public_key("copy")})


urlpatterns = [
    path("privacy/copy-key/", copy_key, name="privacy_copy_key"),
    path("privacy/minor/<str:number>/<str:secret>/", confirm_minor, name="privacy_minor_confirm"),
    *desk_privacy.urlpatterns,
    *desk_requests.urlpatterns,
    *agents.urlpatterns,
    *cases.urlpatterns,
    path("privacy/request/", ask, name="privacy_request"),
    path("privacy/minor/", report_minor, name="privacy_minor"),
]
