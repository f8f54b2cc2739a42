"""The cookie register at work: what the policy does not list is not set, and ``Sec-GPC`` is heard.

Both are middleware. :class:`OnlyRegistered` stands outermost, so that it sees the cookies of
every other part; :class:`PrivacySignal` stands behind the session.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.cache import patch_vary_headers

from tollkeeper.core.policy_schema import Cookie, Policy
from tollkeeper.privacy import choices, policy_queries, signals

log = logging.getLogger(__name__)

_NOTED = "gpc_noted"
_DAY_S = 86_400
Answer = Callable[[HttpRequest], HttpResponse]


def bare(name: str) -> str:
    """A cookie's name in the register: a browser's prefix makes no other cookie."""
    return name.removeprefix("__Host-").removeprefix("__Secure-")


def registered(policy: Policy, name: str) -> Cookie | None:
    """The entry of a cookie, or None for one that may not be set."""
    entry = policy.cookies.registry.get(bare(name))
    return entry if entry is not None and entry.storage == "cookie" else None


class OnlyRegistered:
    """Takes out every cookie that the register does not have, or that needs a choice nobody made.

    A registered cookie lives no longer than the register says. Deleting a cookie is always allowed.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.cookies:
            version = policy_queries.find_current()
            for name in list(response.cookies):
                if response.cookies[name]["max-age"] == 0:
                    continue
                entry = registered(version.policy, name) if version else None
                if version is not None and not self._may(request, entry):
                    log.error("a cookie that the register does not allow was not set: %s", bare(name))
                    del response.cookies[name]
                elif entry is not None:
                    self._shorten(response, name, entry)
        return response

    def _may(self, request: HttpRequest, entry: Cookie | None) -> bool:
        if entry is None:
            return False
        if entry.need != "optional":
            return True
        person = getattr(request, "user", None)
        signal = request.headers.get("Sec-GPC") == "1"
        return bool(person and person.is_authenticated and not signal and choices.may(person.pk, entry.use))

    def _shorten(self, response: HttpResponse, name: str, entry: Cookie) -> None:
        morsel = response.cookies[name]
        if entry.days == 0:
            morsel["max-age"] = morsel["expires"] = ""
        elif morsel["max-age"] != "" and int(morsel["max-age"]) > entry.days * _DAY_S:
            morsel["max-age"] = entry.days * _DAY_S
            morsel["expires"] = ""


class PrivacySignal:
    """Hears ``Sec-GPC: 1`` as an opt-out from selling and sharing.

    ``request.gpc`` tells every page. For a person who is signed in it is noted in the ledger
    once per session; of visitors without an account only their number is counted, by the day.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        signal = request.headers.get("Sec-GPC") == "1"
        request.gpc = signal  # type: ignore[attr-defined]
        if signal:
            self._note(request)
        response = self.get_response(request)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            patch_vary_headers(response, ["Sec-GPC"])  # pages say whether they heard it
        return response

    def _note(self, request: HttpRequest) -> None:
        person = getattr(request, "user", None)
        if person is None or not person.is_authenticated:
            signals.count(timezone.now().date())
            return
        if request.session.get(_NOTED):
            return
        if not choices.opted_out(person.pk):
            choices.choose("opt_out", choices.GPC, subject=person.pk, source="gpc", text="Sec-GPC: 1")
        request.session[_NOTED] = True
