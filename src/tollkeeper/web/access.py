"""Who may see a page. Every view of the console and the desk is wrapped in one of these."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from tollkeeper.accounts import queries as accounts_queries
from tollkeeper.accounts import services as accounts
from tollkeeper.privacy import restrictions

P = ParamSpec("P")
View = Callable[..., HttpResponse]
again: Callable[[View], View] = reauthentication_required
"""The password or a factor once more, unless it was given a moment ago."""


STILL_OPEN = ("console_privacy", "console_support", "console_ticket", "console_settings")
"""Beginnings of the names of pages that somebody sees whose data may only be stored: their rights."""


def led_to_rights(request: HttpRequest) -> HttpResponse | None:
    """Where a signed-in person goes whose data may only be stored; None for everybody else."""
    match = request.resolver_match
    name = (match.url_name if match is not None else None) or ""
    if name.startswith(STILL_OPEN) or not restrictions.limited(request.user.pk):
        return None
    messages.info(request, _("You asked us to only store your data. Lift that here to go on."))
    return redirect("console_privacy")


def for_customer(view: Callable[Concatenate[HttpRequest, int, P], HttpResponse]) -> View:
    """The view gets the id of the signed-in person's customer; strangers are asked to sign in.

    A page of a customer is never kept by a cache. What belongs to somebody else is looked
    up by this id and therefore simply not found. Whose data is restricted to storage is led
    to the privacy centre from everywhere but their rights.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        person: Any = request.user
        return led_to_rights(request) or view(request, accounts.ensure_customer(person), *args, **kwargs)

    return never_cache(login_required(guarded))


ROLE = "privacy"
"""The group whose members look after people's rights on the desk."""


def _to_factor(request: HttpRequest) -> HttpResponse | None:
    """Where an operator sets up a second factor before any page of the desk; None if they have one."""
    person: Any = request.user
    if accounts_queries.has_factor(person.pk):
        return None
    wanted = request.get_full_path() if request.method in ("GET", "HEAD") else reverse("desk")
    return redirect(f"{reverse('desk_factor')}?{urlencode({'next': wanted})}")


def for_privacy(view: Callable[Concatenate[HttpRequest, P], HttpResponse]) -> View:
    """Operators of the role ``privacy``, or of none in particular, with a second factor."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        person: Any = request.user
        if not person.is_staff or not accounts_queries.has_role(person.pk, ROLE):
            raise Http404
        return _to_factor(request) or view(request, *args, **kwargs)

    return never_cache(login_required(guarded))


def for_staff(view: Callable[Concatenate[HttpRequest, P], HttpResponse]) -> View:
    """Operators with a second factor only; to everybody else who is signed in the page does not exist.

    An operator without one is led to set it up first.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_staff:
            raise Http404
        return _to_factor(request) or view(request, *args, **kwargs)

    return never_cache(login_required(guarded))
