"""GET and POST /console/settings/: the profile. E-mail, password, factors, sessions are allauth's pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as account_verbs
from tollkeeper.flows import correcting
from tollkeeper.web.access import for_customer


class Profile(forms.Form):
    """What a person may tell us about themselves: nothing is required."""

    nickname = forms.CharField(
        label=_("Nickname"), required=False, max_length=40,
        help_text=_("How the console greets you. Stored encrypted; leave it empty if you like."),
        widget=forms.TextInput(attrs={"autocomplete": "nickname"}),
    )  # fmt: skip
    language = forms.ChoiceField(
        label=_("Language"),
        choices=settings.LANGUAGES,
        help_text=_("Of these pages and of our e-mail to you."),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@for_customer
def profile(request: HttpRequest, customer_id: int) -> HttpResponse:
    """The form, and its saving."""
    user: Any = request.user
    if request.method == "POST":
        form = Profile(request.POST)
        if form.is_valid():
            return _save(request, form)
    else:
        form = Profile(initial={"nickname": user.nickname or "", "language": user.language})
    public_id = accounts.get_customer(customer_id).public_id
    status = 422 if form.is_bound else 200
    return render(request, "console/settings.html", {"form": form, "public_id": public_id}, status=status)


def _save(request: HttpRequest, form: Profile) -> HttpResponse:
    user: Any = request.user
    language = form.cleaned_data["language"]
    if form.cleaned_data["nickname"] != (user.nickname or ""):
        correcting.correct(user.pk, nickname=form.cleaned_data["nickname"])
    account_verbs.set_language(user.pk, language)
    with translation.override(language):
        messages.success(request, translation.gettext("Saved."))
    response = redirect("console_settings")
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME, language, max_age=31_536_000, samesite="Lax", secure=settings.ENV.live
    )
    return response
