"""Reads of keys and deliveries, as frozen rows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import msgspec
from django.db.models import Count, F, Q

from tollkeeper.core.terms import KeyTerms, decode_key_terms
from tollkeeper.delivery.caps import cut_under, unspent_units
from tollkeeper.delivery.directory import live_terms
from tollkeeper.delivery.keyring import Own, best
from tollkeeper.delivery.models import Delivery, Feed, Key, KeyEntry, Snapshot, TargetState
from tollkeeper.delivery.relays import (
    LIVE,
    Desire,
    Led,
    desired,
    desired_many,
    leaders,
    leaders_of,
    live_leaders,
    mark,
    wish,
)
from tollkeeper.delivery.snapshots import OF_THE_KEY, newer
from tollkeeper.delivery.stops import PlanStop, customers_by_plan, stops, stops_for

__all__ = [
    "NO_ANSWER",
    "DeliveryRow",
    "Desire",
    "KeyRow",
    "Led",
    "PlanStop",
    "SnapshotRow",
    "StepRow",
    "TargetRow",
    "best_terms",
    "customers_by_plan",
    "cut_under",
    "delivered_units",
    "deliveries",
    "desired",
    "desired_many",
    "failed_deliveries",
    "feed_version",
    "find_by_digest",
    "find_by_secret",
    "find_delivery",
    "find_key",
    "find_snapshot",
    "find_target",
    "find_unrevealed",
    "get_delivery",
    "leaders",
    "leaders_of",
    "list_keys",
    "live_keys_by_target",
    "live_leaders",
    "mark",
    "newer",
    "odd_snapshots",
    "owner_of_key",
    "recent_deliveries",
    "stops",
    "stops_for",
    "targets",
    "unaligned",
    "unspent_units",
    "wish",
]


NO_ANSWER = "no_answer"
"""Why a hand-over is held up where nothing is wrong but silence."""


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """A key at a relay as it was last found; amounts in micro-units. ``late_s``: use may show so late."""

    delivery_id: int
    line_id: int
    unit: str
    as_of: dt.datetime
    enabled: bool
    cap: int | None
    used: int | None
    window: str
    resets_at: dt.datetime | None
    ends_at: dt.datetime | None
    late_s: float
    odd: str

    @property
    def remaining(self) -> int | None:
        """What is left under the cap; None if either is not known."""
        return None if self.cap is None or self.used is None else max(0, self.cap - self.used)


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A relay as the last probe found it; amounts in micro-units."""

    name: str
    probed_at: dt.datetime
    open: bool
    reason: str
    version: str
    unit: str
    keeps: tuple[str, ...]
    skew_s: float
    wallet: int | None
    promised: int
    stopped: bool


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
    stopped_at: dt.datetime | None
    steps: tuple[StepRow, ...]
    target: str
    handle: str
    hint: str
    paused: bool


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


def find_by_secret(digest: bytes) -> DeliveryRow | None:
    """The delivery that leads the key at a relay with this keyed hash; None once it is replaced."""
    live = Delivery.objects.filter(digest=digest, state="delivered").exclude(handle="")
    rows = _deliveries(live.order_by("-pk")[:1])
    return rows[0] if rows else None


def get_delivery(delivery_id: int) -> DeliveryRow:
    """A delivery by its id; raises ``LookupError``."""
    rows = _deliveries(Delivery.objects.filter(pk=delivery_id))
    if not rows:
        raise LookupError(f"there is no delivery {delivery_id}")
    return rows[0]


def find_unrevealed(customer_id: int) -> DeliveryRow | None:
    """The oldest delivery whose key its customer has not seen yet."""
    waiting = Delivery.objects.filter(customer_id=customer_id, state="delivered", sealed_secret__isnull=False)
    rows = _deliveries(waiting.order_by("pk")[:1])
    return rows[0] if rows else None


def unaligned(limit: int = 100) -> list[DeliveryRow]:
    """Deliveries whose key at a relay is not known to be as it should be."""
    behind = Delivery.objects.filter(wanted__gt=F("aligned")).exclude(handle="")
    return _deliveries(behind.order_by("-pk")[:limit])


def live_keys_by_target() -> dict[str, int]:
    """How many keys of each relay something live stands behind."""
    live = Delivery.objects.filter(state__in=LIVE).exclude(target="").exclude(handle="")
    counted = live.values("target").annotate(n=Count("label", distinct=True))
    return dict(counted.values_list("target", "n"))


def failed_deliveries(limit: int = 100) -> list[DeliveryRow]:
    """Deliveries that an operator has to look at, latest first: failed, or held up by more than silence."""
    wrong = Q(state="failed") | (Q(state="running") & ~Q(error__in=("", NO_ANSWER)))
    return _deliveries(Delivery.objects.filter(wrong).order_by("-pk")[:limit])


def recent_deliveries(limit: int = 100) -> list[DeliveryRow]:
    """Deliveries of everybody, latest first."""
    return _deliveries(Delivery.objects.order_by("-pk")[:limit])


def handles_at_relays(customer_id: int) -> list[tuple[str, str]]:
    """(relay, id there) of every key that was ever made for a customer at somebody else's."""
    rows = Delivery.objects.filter(customer_id=customer_id).exclude(target="").exclude(handle="")
    return sorted(set(rows.values_list("target", "handle")))


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
            stopped_at=row.stopped_at,
            steps=tuple(StepRow(step.name, step.at) for step in sorted(row.steps.all(), key=lambda s: s.at)),
            target=row.target,
            handle=row.handle,
            hint=row.hint,
            paused=row.paused,
        )
        for row in rows.prefetch_related("steps")
    ]


def find_snapshot(delivery_id: int) -> SnapshotRow | None:
    """How the key of a delivery was last found at its relay."""
    label = Delivery.objects.filter(pk=delivery_id).values_list("label", flat=True).first()
    rows = Snapshot.objects.filter(OF_THE_KEY, delivery__label=label).exclude(delivery__label="")
    found = rows.select_related("delivery").order_by("-as_of").first()
    return None if found is None else _snapshot(found)


def odd_snapshots(limit: int = 100) -> list[SnapshotRow]:
    """Keys at relays that were found as they should not be, latest first."""
    rows = Snapshot.objects.exclude(odd="").select_related("delivery").order_by("-as_of")[:limit]
    return [_snapshot(row) for row in rows]


def _snapshot(row: Snapshot) -> SnapshotRow:
    return SnapshotRow(
        delivery_id=row.delivery_id,
        line_id=row.delivery.line_id,
        unit=row.delivery.unit,
        as_of=row.as_of,
        enabled=row.enabled,
        cap=row.cap,
        used=row.used,
        window=row.window,
        resets_at=row.resets_at,
        ends_at=row.ends_at,
        late_s=row.delay_s,
        odd=row.odd,
    )


def targets() -> list[TargetRow]:
    """All relays that were ever probed."""
    return [_target(row) for row in TargetState.objects.order_by("name")]


def find_target(name: str) -> TargetRow | None:
    """A relay as the last probe found it; None if none has yet."""
    row = TargetState.objects.filter(pk=name).first()
    return None if row is None else _target(row)


def _target(row: TargetState) -> TargetRow:
    return TargetRow(
        name=row.name,
        probed_at=row.probed_at,
        open=row.open,
        reason=row.reason,
        version=row.version,
        unit=row.unit,
        keeps=tuple(row.keeps.split()),
        skew_s=row.skew_s,
        wallet=row.wallet,
        promised=row.promised,
        stopped=row.stopped,
    )
