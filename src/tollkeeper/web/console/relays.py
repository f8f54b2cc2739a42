"""Keys at relays in the console: where they work, how they were last found, and a look at them now."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from tollkeeper.catalog import queries as catalog
from tollkeeper.delivery import queries as delivery
from tollkeeper.delivery import services as verbs
from tollkeeper.flows import relaying
from tollkeeper.kit.fields import from_micros, to_micros
from tollkeeper.web.access import for_customer
from tollkeeper.web.throttle import allow

PATIENCE = dt.timedelta(seconds=30)
"""How long a page waits for the answer to a look that was asked for."""


@dataclass(frozen=True, slots=True)
class RelayedKey:
    """A delivered key at a relay, where it works, and how it was last found there."""

    row: delivery.DeliveryRow
    base: str
    snapshot: delivery.SnapshotRow | None
    unit: str
    replaced: bool
    title: str

    @property
    def source(self) -> str:
        """Where on the page its address stands, to be copied."""
        return f"relay-base-{self.row.id}"


def relayed_keys(customer_id: int) -> list[RelayedKey]:
    """One for each key: of a key that was raised, the latest line."""
    rows = [row for row in delivery.deliveries(customer_id) if row.target and row.state == "delivered"]
    latest = {(row.target, row.unit, row.handle): row for row in reversed(rows)}
    units, names = catalog.current_shop(get_language()).units, catalog.plan_names(get_language())
    return [
        RelayedKey(
            row,
            base_of(row.target),
            delivery.find_snapshot(row.id),
            units[row.unit].many if row.unit in units else row.unit,
            relaying.is_replaced(row),
            names.get(row.plan, row.plan),
        )
        for row in sorted(latest.values(), key=lambda row: -row.id)
    ]


def base_of(target: str) -> str:
    """Where customers use their keys of a relay; empty if the shop has it no more."""
    try:
        terms = catalog.get_target(target)
    except catalog.NotOffered:
        return ""
    return terms.public_url or terms.url


def look_context(request: HttpRequest, customer_id: int) -> dict[str, Any]:
    """What the card needs. ``?asked=`` (microseconds) is when a look was asked for, if one was."""
    text = request.GET.get("asked", "")
    asked = from_micros(int(text)) if text.isdigit() and len(text) <= 16 else None
    return _context(customer_id, asked)


def _context(customer_id: int, asked: dt.datetime | None) -> dict[str, Any]:
    keys = relayed_keys(customer_id)
    fresh = [
        key.snapshot for key in keys if key.snapshot is not None and asked and key.snapshot.as_of >= asked
    ]
    waiting = asked is not None and not fresh and timezone.now() - asked < PATIENCE
    return {"relayed": keys, "asked": to_micros(asked) if asked and waiting else None}


@require_safe
@for_customer
def relay_keys(request: HttpRequest, customer_id: int) -> HttpResponse:
    """GET /console/keys/relays/: the card alone, for the page to refresh."""
    return render(request, "console/relay_keys.html", look_context(request, customer_id))


@require_POST
@for_customer
def look(request: HttpRequest, customer_id: int, delivery_id: int) -> HttpResponse:
    """POST /console/keys/relays/<id>/look/: have a key looked at now; rarely enough for the relay."""
    _mine(customer_id, delivery_id)
    now = timezone.now()
    taken = relaying.ask_for_sync(delivery_id, now)
    if request.headers.get("HX-Request"):
        return render(request, "console/relay_keys.html", _context(customer_id, now if taken else None))
    if taken:
        messages.info(request, _("We are asking the relay. Load this page again in a moment."))
    else:
        messages.info(request, _("It was looked at a few seconds ago."))
    return redirect("console_keys")


@require_POST
@for_customer
def pause(request: HttpRequest, customer_id: int, delivery_id: int, *, paused: bool) -> HttpResponse:
    """POST /console/keys/relays/<id>/<pause|resume>/: stop a key there for a while, or let it go on."""
    _mine(customer_id, delivery_id)
    verbs.pause(delivery_id, paused=paused)
    said = _("Its relay is being told to stop it.") if paused else _("Its relay is being told.")
    messages.success(request, said)
    return redirect("console_keys")


@require_http_methods(["GET", "HEAD", "POST"])
@for_customer
def replace(request: HttpRequest, customer_id: int, delivery_id: int) -> HttpResponse:
    """GET asks, waits or leads to the new key; POST has the old one stopped and another made for the rest."""
    key = _mine(customer_id, delivery_id)
    if request.method == "POST":
        if not allow(request, "relay_replace", 10, 3600):
            return render(request, "429.html", status=429)
        if not key.row.revealable:
            relaying.ask_for_replacement(delivery_id)
        return redirect("console_relay_replace", delivery_id)
    state = "busy" if key.replaced else "ready" if key.row.revealable else "ask"
    whole = not request.headers.get("HX-Request")
    template = "console/relay_replace.html" if whole else "console/relay_replace_state.html"
    return render(request, template, {"key": key, "state": state})


def _mine(customer_id: int, delivery_id: int) -> RelayedKey:
    key = next((key for key in relayed_keys(customer_id) if key.row.id == delivery_id), None)
    if key is None:
        raise Http404
    return key
