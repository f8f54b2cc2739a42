"""GET /status/: whether the parts of the shop work now, as they themselves say."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from tollkeeper.delivery import queries as delivery
from tollkeeper.flows import plan_stop
from tollkeeper.kit import queries as kit

_ASKED_EVERY_S = 10
_LATE_S = 120


@dataclass(frozen=True, slots=True)
class Part:
    """One part and how it does: ``ok``, ``warn`` or ``crit``."""

    name: str | Promise
    state: str
    text: str | Promise


def _gate() -> Part:
    """The gate listens, or not; asked at most every ten seconds, whoever looks."""
    listens = cache.get("status:gate")
    if listens is None:
        listens = _listens(settings.ENV.gate_url)
        cache.set("status:gate", listens, _ASKED_EVERY_S)
    if listens:
        return Part(_("API"), "ok", _("answers"))
    return Part(_("API"), "crit", _("does not answer; we are on it"))


def _listens(url: str) -> bool:
    where = urlsplit(url)
    port = where.port or (443 if where.scheme == "https" else 80)
    try:
        with socket.create_connection((where.hostname or "", port), timeout=0.5):
            return True
    except OSError:
        return False


def _work() -> Part:
    late_s = kit.oldest_due_s()
    if late_s < _LATE_S:
        return Part(_("Orders, keys and mail"), "ok", _("handled at once"))
    return Part(_("Orders, keys and mail"), "warn", _("delayed; nothing is lost"))


def _stops() -> tuple[Part, ...]:
    """Plans that the operator has stopped, with the reason that their customers were told."""
    language = get_language()
    return tuple(
        Part(
            _("Plan “%s”") % plan_stop.title(stop.plan, language),
            "warn",
            _("stopped by us since %(day)s: %(reason)s")
            % {"day": date_format(stop.since), "reason": stop.reason},
        )
        for stop in delivery.stops().values()
    )


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    """The parts, the worst first in the headline."""
    parts = (Part(_("Website and console"), "ok", _("you are looking at it")), _gate(), _work(), *_stops())
    states = {part.state for part in parts}
    worst = next(state for state in ("crit", "warn", "ok") if state in states)
    response = render(
        request, "storefront/status.html", {"parts": parts, "worst": worst, "now": timezone.now()}
    )
    response["Cache-Control"] = "no-store"
    return response
