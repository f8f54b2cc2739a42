"""The gates' directory: one row per key, numbered so that a gate needs to read changes only."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone

from tollkeeper.core import states
from tollkeeper.core.terms import KeyTerms, decode_key_terms, encode
from tollkeeper.delivery.keyring import Own, best, narrow
from tollkeeper.delivery.models import Delivery, Feed, Key, KeyEntry, StoppedPlan, Suspension

HOME = "gate_key"
"""The provisioner of keys on our own gate."""
LIVE = ("delivered", "suspended", "running")
"""States of a delivery whose terms count for its customer's keys."""
PLAN_STOPPED = "plan_stopped"
"""Why a key is stopped of which every live plan is: worked out each time, never stored."""

Owner = tuple[int, str]
"""Customer id and unit."""


def tenant(customer_id: int) -> str:
    """The opaque id of a customer towards upstreams; made from nothing that anybody else knows."""
    mark = hashlib.blake2b(
        str(customer_id).encode(), digest_size=12, key=settings.KEY_PEPPER, person=b"tenant"
    )
    return f"ten_{mark.hexdigest()}"


def next_version() -> int:
    """The next number of the feed. Its row stays locked until the transaction ends, so commits follow it."""
    if not Feed.objects.filter(pk=1).update(version=F("version") + 1):
        Feed.objects.bulk_create([Feed(id=1)], ignore_conflicts=True)
        Feed.objects.filter(pk=1).update(version=F("version") + 1)
    return Feed.objects.values_list("version", flat=True).get(pk=1)


def live_terms(customer_id: int, unit: str, now: dt.datetime | None = None) -> list[KeyTerms]:
    """Terms of all that the customer has been delivered and that is not over, oldest first."""
    return [terms for _, terms in _live([customer_id], now).get((customer_id, unit), [])]


def _live(
    customers: Iterable[int], now: dt.datetime | None = None
) -> dict[Owner, list[tuple[str, KeyTerms]]]:
    """(plan, terms) of what each of these customers has on our gate and that is not over, oldest first."""
    rows = (
        Delivery.objects.filter(customer_id__in=customers, provisioner=HOME, state__in=LIVE)
        .filter(Q(ends_at__isnull=True) | Q(ends_at__gt=now or timezone.now()))
        .order_by("pk")
    )
    found: defaultdict[Owner, list[tuple[str, KeyTerms]]] = defaultdict(list)
    for customer, unit, plan, text in rows.values_list("customer_id", "unit", "plan", "terms"):
        found[customer, unit].append((plan, decode_key_terms(text)))
    return found


def stopped_plans() -> frozenset[str]:
    """The plans whose keys an operator has stopped."""
    return frozenset(StoppedPlan.objects.values_list("plan", flat=True))


def push(keys: Iterable[Key]) -> int:
    """Bring the entries of these keys up to date, states included; answers how many changed.

    The last thing a transaction should do: it locks the feed.
    """
    rows = list(keys)
    if not rows:
        return 0
    reasons = _reasons(rows)
    known = KeyEntry.objects.in_bulk([key.pk for key in rows])
    live, stopped = _live({key.customer_id for key in rows}), stopped_plans()
    changed = []
    for key in rows:
        mine = live.get((key.customer_id, key.unit), [])
        served = [terms for plan, terms in mine if plan not in stopped]
        why = reasons[key.pk] + [PLAN_STOPPED] * bool(mine and not served)
        _restate(key, why)
        fresh = _entry(key, served or [terms for _, terms in mine], why)
        old = known.get(key.pk)
        if old is None or _facts(old) != _facts(fresh):
            changed.append(fresh)
    if changed:
        version = next_version()
        for entry in changed:
            entry.version = version
        KeyEntry.objects.bulk_create(
            changed,
            update_conflicts=True,
            unique_fields=["key"],
            update_fields=["state", "reason", "terms", "expires_at", "version"],
            batch_size=500,
        )
    return len(changed)


def _reasons(keys: Sequence[Key]) -> dict[int, list[str]]:
    """Why each key is stopped, the longest standing reason first."""
    everywhere: defaultdict[int, list[str]] = defaultdict(list)
    single: defaultdict[int, list[str]] = defaultdict(list)
    rows = Suspension.objects.filter(customer_id__in={key.customer_id for key in keys}).order_by("pk")
    for customer, key, reason in rows.values_list("customer_id", "key_id", "reason"):
        if key is None:
            everywhere[customer].append(reason)
        else:
            single[key].append(reason)
    return {key.pk: everywhere[key.customer_id] + single[key.pk] for key in keys}


def _restate(key: Key, reasons: list[str]) -> None:
    event = {("active", True): "suspend", ("suspended", False): "resume"}.get((key.state, bool(reasons)))
    if event is not None:
        key.state = states.step(states.KEY, key.state, event)
        Key.objects.filter(pk=key.pk).update(state=key.state)


def _entry(key: Key, terms: list[KeyTerms], reasons: list[str]) -> KeyEntry:
    own = msgspec.json.decode(key.own, type=Own)
    base = best(terms) if terms else decode_key_terms(key.terms)
    return KeyEntry(
        key_id=key.pk,
        digest=bytes(key.digest),
        customer_id=key.customer_id,
        tenant=tenant(key.customer_id),
        state="revoked" if key.state in ("revoked", "expired") else key.state,
        reason=reasons[0] if reasons and key.state == "suspended" else "",
        terms=encode(narrow(base, own)),
        expires_at=key.expires_at,
        version=0,
    )


def _facts(entry: KeyEntry) -> tuple[object, ...]:
    return entry.state, entry.reason, entry.terms, entry.expires_at
