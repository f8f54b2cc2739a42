"""Reads of keys and deliveries, as frozen rows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import msgspec

from tollkeeper.core.terms import KeyTerms, decode_key_terms
from tollkeeper.delivery.directory import live_terms
from tollkeeper.delivery.keyring import Own, best
from tollkeeper.delivery.models import Delivery, Feed, Key, KeyEntry


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as its customer sees it. ``terms`` is what the gates let it do."""

    id: int
    name: str
    prefix_hint: str
    unit: str
    test: bool
    state: str
    reason: str
    terms: KeyTerms
    own: Own
    created_at: dt.datetime
    expires_at: dt.datetime | None
    last_used_on: dt.date | None
    replaces_id: int | None


@dataclass(frozen=True, slots=True)
class StepRow:
    """Something that was done for a delivery."""

    name: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A delivery as its customer and the operator see it. ``revealable``: its key waits to be shown."""

    id: int
    line_id: int
    customer_id: int
    provisioner: str
    plan: str
    unit: str
    state: str
    key_id: int | None
    revealable: bool
    revealed_at: dt.datetime | None
    error: str
    created_at: dt.datetime
    delivered_at: dt.datetime | None
    ends_at: dt.datetime | None
    steps: tuple[StepRow, ...]


def list_keys(customer_id: int, *, gone: bool = True) -> list[KeyRow]:
    """Keys of a customer, latest first; ``gone`` includes those revoked and expired."""
    keys = Key.objects.filter(customer_id=customer_id).order_by("-pk")
    if not gone:
        keys = keys.exclude(state__in=("revoked", "expired"))
    return _keys(keys)


def find_key(key_id: int, customer_id: int) -> KeyRow | None:
    """One key of a customer."""
    rows = _keys(Key.objects.filter(pk=key_id, customer_id=customer_id))
    return rows[0] if rows else None


def find_by_digest(digest: bytes) -> KeyRow | None:
    """The key with this keyed hash, whosever it is: for leak reports."""
    rows = _keys(Key.objects.filter(digest=digest))
    return rows[0] if rows else None


def owner_of_key(key_id: int) -> int | None:
    """Customer id of a key."""
    return Key.objects.filter(pk=key_id).values_list("customer_id", flat=True).first()


def _keys(keys: Any) -> list[KeyRow]:
    rows = list(keys)
    entries = KeyEntry.objects.in_bulk([key.pk for key in rows])
    return [
        KeyRow(
            id=key.pk,
            name=key.name,
            prefix_hint=key.prefix_hint,
            unit=key.unit,
            test=key.test,
            state=key.state,
            reason=entries[key.pk].reason if key.pk in entries else "",
            terms=decode_key_terms(entries[key.pk].terms if key.pk in entries else key.terms),
            own=msgspec.json.decode(key.own, type=Own),
            created_at=key.created_at,
            expires_at=key.expires_at,
            last_used_on=key.last_used_on,
            replaces_id=key.replaces_id,
        )
        for key in rows
    ]


def best_terms(customer_id: int, unit: str) -> KeyTerms | None:
    """What a new key of this unit could do; None if nothing in it is delivered."""
    terms = live_terms(customer_id, unit)
    return best(terms) if terms else None


def delivered_units(customer_id: int) -> list[str]:
    """Units in which something delivered is live: a key can be made for each."""
    units = Delivery.objects.filter(customer_id=customer_id).values_list("unit", flat=True).distinct()
    return [unit for unit in sorted(set(units)) if live_terms(customer_id, unit)]


def deliveries(customer_id: int) -> list[DeliveryRow]:
    """Deliveries of a customer, latest first."""
    return _deliveries(Delivery.objects.filter(customer_id=customer_id).order_by("-pk"))


def find_delivery(line_id: int) -> DeliveryRow | None:
    """The delivery of an order line, if it has begun."""
    rows = _deliveries(Delivery.objects.filter(line_id=line_id))
    return rows[0] if rows else None


def find_unrevealed(customer_id: int) -> DeliveryRow | None:
    """The oldest delivery whose key its customer has not seen yet."""
    waiting = Delivery.objects.filter(customer_id=customer_id, state="delivered", sealed_secret__isnull=False)
    rows = _deliveries(waiting.order_by("pk")[:1])
    return rows[0] if rows else None


def failed_deliveries(limit: int = 100) -> list[DeliveryRow]:
    """Deliveries that an operator has to look at, latest first."""
    return _deliveries(Delivery.objects.filter(state="failed").order_by("-pk")[:limit])


def recent_deliveries(limit: int = 100) -> list[DeliveryRow]:
    """Deliveries of everybody, latest first."""
    return _deliveries(Delivery.objects.order_by("-pk")[:limit])


def feed_version() -> int:
    """The latest number of the gates' feed."""
    return Feed.objects.filter(pk=1).values_list("version", flat=True).first() or 0


def _deliveries(rows: Any) -> list[DeliveryRow]:
    return [
        DeliveryRow(
            id=row.pk,
            line_id=row.line_id,
            customer_id=row.customer_id,
            provisioner=row.provisioner,
            plan=decode_key_terms(row.terms).plan,
            unit=row.unit,
            state=row.state,
            key_id=row.key_id,
            revealable=row.sealed_secret is not None and row.state == "delivered",
            revealed_at=row.revealed_at,
            error=row.error,
            created_at=row.created_at,
            delivered_at=row.delivered_at,
            ends_at=row.ends_at,
            steps=tuple(StepRow(step.name, step.at) for step in sorted(row.steps.all(), key=lambda s: s.at)),
        )
        for row in rows.prefetch_related("steps")
    ]
