"""Verbs on keys at relays: what should be there, what was found there, and the difference.

The intent is committed before anybody is asked. What should be there is read from
these rows each time (:func:`desired`), so that any number of jobs may bring a relay
in line at any time and end at the same.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q, Sum
from django.utils import timezone

from tollkeeper.core.terms import decode_key_terms
from tollkeeper.delivery.models import Delivery, DeliveryStep, Snapshot, Suspension, TargetState
from tollkeeper.delivery.provisioners import Facts, Seen, Wish
from tollkeeper.delivery.snapshots import keep_snapshots
from tollkeeper.kit.jobs import enqueue
from tollkeeper.kit.sealed import open_sealed, seal

CHOSEN = "delivery.chosen"
SECRET = "delivery.secret"  # noqa: S105 - the name of a column
LIVE = ("running", "delivered", "suspended")


class Gone(Exception):
    """There is nobody to make a key for: the person was erased, or the delivery is over."""


@dataclass(frozen=True, slots=True)
class Desire:
    """What should be at a relay. ``version`` says of which change of mind."""

    delivery_id: int
    target: str
    handle: str
    exists: bool
    enabled: bool
    cap: int | None
    ends_at: dt.datetime | None
    version: int


class Led(NamedTuple):
    """A label at a relay, and the delivery that leads it."""

    delivery_id: int
    label: str
    handle: str
    state: str
    created_at: dt.datetime


def mark() -> str:
    """What every label of this installation begins with: two shops at one relay never touch each other."""
    name = hashlib.blake2b(b"labels", digest_size=4, key=settings.KEY_PEPPER, person=b"shop").hexdigest()
    return f"tk{name}-"


@transaction.atomic
def intend(delivery_id: int, *, target: str, units: int) -> bool:
    """Note what is to be made where, with a secret of our own choice, before anybody is asked.

    Answers True if the customer's key of an earlier line there is taken over and only
    raised. Running it again changes nothing.
    """
    delivery = Delivery.objects.select_for_update().get(pk=delivery_id)
    if delivery.label:
        return bool(delivery.handle)
    before = Delivery.objects.filter(
        customer_id=delivery.customer_id, target=target, unit=delivery.unit, state__in=LIVE
    ).exclude(handle="")
    former = before.exclude(pk=delivery_id).order_by("-pk").first()
    delivery.target, delivery.units = target, units
    if former is not None:
        delivery.label, delivery.handle, delivery.cap = former.label, former.handle, former.cap
        delivery.attempt = former.attempt
    else:
        delivery.cap = units or None
        _choose(delivery)
    delivery.save()
    return former is not None


def _choose(delivery: Delivery) -> None:
    """A fresh label and a fresh secret, sealed."""
    delivery.attempt += 1
    delivery.label = f"{mark()}{delivery.line_id}-{delivery.attempt}"
    delivery.handle = ""
    delivery.sealed_choice = seal(_owner(delivery), "sk-" + secrets.token_urlsafe(32), CHOSEN)


def wish(delivery_id: int) -> Wish:
    """What the provisioner is asked for: the same each time. Raises :class:`Gone`."""
    delivery = Delivery.objects.get(pk=delivery_id)
    if delivery.state not in LIVE or delivery.sealed_choice is None:
        raise Gone
    terms = decode_key_terms(delivery.terms)
    minute = {limit.unit: limit.amount for limit in terms.limits if limit.window_s == 60}
    return Wish(
        label=delivery.label,
        secret=open_sealed(_owner(delivery), delivery.sealed_choice, CHOSEN),
        unit=delivery.unit,
        cap=delivery.cap,
        ends_at=delivery.ends_at,
        models=terms.models,
        ip_ranges=terms.ip_ranges,
        requests_per_minute=minute.get("requests", 0),
        tokens_per_minute=minute.get("tokens", 0),
        concurrency=terms.concurrency,
    )


def seal_secret(delivery_id: int, secret: str) -> str:
    """The secret of a key that was made, sealed for its owner: what may stand in a job's journal."""
    return seal(_owner(Delivery.objects.get(pk=delivery_id)), secret, SECRET)


@transaction.atomic
def keep_made(delivery_id: int, *, handle: str, sealed: str) -> None:
    """Store what was made: the id there, and the secret until its owner has seen it."""
    delivery = Delivery.objects.select_for_update().get(pk=delivery_id)
    delivery.handle, delivery.sealed_secret, delivery.sealed_choice = handle, sealed, None
    delivery.save(update_fields=["handle", "sealed_secret", "sealed_choice"])
    _note(delivery_id, "key ready")
    if TargetState.objects.filter(name=delivery.target, stopped=True).exists():
        want(Q(pk=delivery_id))


@transaction.atomic
def raise_cap(delivery_id: int, *, used: int | None, anew: bool) -> None:
    """Reckon the cap of a key that is taken over, once, and have it written.

    ``anew``: the units of earlier periods are over, so the cap is what is used now and
    what this line gives; otherwise this line comes on top.
    """
    delivery = Delivery.objects.select_for_update().get(pk=delivery_id)
    if anew and used is not None:
        delivery.cap = used + delivery.units
    elif delivery.cap is not None:
        delivery.cap += delivery.units
    delivery.save(update_fields=["cap"])
    _note(delivery_id, "key ready")
    want(Q(pk=delivery_id))


@transaction.atomic
def want(which: Q) -> int:
    """Note that something should be otherwise at the relays, and have it done; answers for how many keys."""
    labels = set(Delivery.objects.filter(which).exclude(label="").values_list("label", flat=True))
    for label in sorted(labels):
        row = leader(label)
        if row is not None:
            row.wanted += 1
            row.save(update_fields=["wanted"])
            enqueue("align_key", f"align:{row.pk}:{row.wanted}", delivery_id=row.pk)
    return len(labels)


def leader(label: str) -> Delivery | None:
    """The newest delivery of a label that has its key, locked."""
    rows = Delivery.objects.select_for_update().filter(label=label).exclude(handle="")
    return rows.order_by("-pk").first()


def desired(delivery_id: int) -> Desire | None:
    """What should be at the relay for this key; None if another delivery leads, or nothing was made."""
    return desired_many([delivery_id]).get(delivery_id)


def desired_many(delivery_ids: Iterable[int]) -> dict[int, Desire]:
    """The same for many, in three reads; those that lead no key are not in the answer."""
    wanted = set(delivery_ids)
    labels = Delivery.objects.filter(pk__in=wanted).exclude(label="").values("label")
    chains: dict[str, list[Delivery]] = {}
    for row in Delivery.objects.filter(label__in=labels).order_by("pk"):
        chains.setdefault(row.label, []).append(row)
    owners = {chain[0].customer_id for chain in chains.values()}
    stops = Suspension.objects.filter(customer_id__in=owners, key__isnull=True)
    stopped = set(stops.values_list("customer_id", flat=True))
    shut = set(TargetState.objects.filter(stopped=True).values_list("name", flat=True))
    now, found = timezone.now(), {}
    for chain in chains.values():
        made = [row for row in chain if row.handle]
        if made and made[-1].pk in wanted:
            found[made[-1].pk] = _desire(
                made[-1], chain, now, stopped=made[-1].customer_id in stopped or made[-1].target in shut
            )
    return found


def _desire(first: Delivery, chain: list[Delivery], now: dt.datetime, *, stopped: bool) -> Desire:
    live = [row for row in chain if row.state in LIVE and (row.ends_at is None or row.ends_at > now)]
    ends = [row.ends_at for row in live if row.ends_at is not None]
    return Desire(
        delivery_id=first.pk,
        target=first.target,
        handle=first.handle,
        exists=bool(live),
        enabled=not stopped and all(row.state != "suspended" for row in live),
        cap=first.cap,
        ends_at=max(ends) if ends and len(ends) == len(live) else None,
        version=first.wanted,
    )


@transaction.atomic
def aligned(desire: Desire, seen: Seen | None) -> bool:
    """Note that the relay is as wished; False if the wish has changed meanwhile."""
    mine = Delivery.objects.filter(pk=desire.delivery_id, wanted=desire.version)
    if not mine.update(aligned=desire.version):
        return False
    if seen is not None:
        keep_snapshots([(desire.delivery_id, seen)])
    return True


@transaction.atomic
def lose(delivery_id: int) -> None:
    """A key that should be at its relay is not: have another made and shown.

    What the lost one had used, as far as it was seen, is not given twice.
    """
    seen = Snapshot.objects.filter(delivery_id=delivery_id, used__isnull=False).order_by("-as_of").first()
    used = 0 if seen is None or seen.used is None else seen.used
    _anew(Delivery.objects.select_for_update().get(pk=delivery_id), used)


@transaction.atomic
def replace(delivery_id: int, handle: str, used: int) -> bool:
    """The key ``handle``, which has used so much, is being taken away: have another made for the rest.

    False if it was replaced before.
    """
    delivery = Delivery.objects.select_for_update().get(pk=delivery_id)
    if delivery.handle != handle:
        return False
    _anew(delivery, used)
    return True


def _anew(delivery: Delivery, used: int) -> None:
    """A fresh label and secret for all lines of a key, and the job that makes it."""
    if delivery.cap is not None:
        delivery.cap = max(0, delivery.cap - used)
    former = delivery.label
    _choose(delivery)
    Delivery.objects.filter(label=former).exclude(pk=delivery.pk).update(label=delivery.label, handle="")
    delivery.sealed_secret = None
    delivery.save()
    _note(delivery.pk, f"made anew {delivery.attempt}")
    enqueue("remake_key", f"remake:{delivery.pk}:{delivery.attempt}", delivery_id=delivery.pk)


@transaction.atomic
def stop_target(name: str, *, stopped: bool) -> int:
    """Stop all keys at a relay, or let them go on; answers how many. New ones are born stopped."""
    never = {"probed_at": timezone.now(), "open": False, "reason": "not_asked"}
    TargetState.objects.get_or_create(name=name, defaults=never)
    TargetState.objects.filter(name=name).update(stopped=stopped)
    return want(Q(target=name, state__in=LIVE))


@transaction.atomic
def align_again(delivery_id: int) -> int:
    """Have one key brought in line once more; answers 0 if it is at no relay."""
    return want(Q(pk=delivery_id))


@transaction.atomic
def keep_probe(target: str, facts: Facts | None, reason: str = "") -> bool:
    """Note what a probe found; answers whether new keys may be sold from there.

    A wallet must hold what all live keys may still use; otherwise sales stop before it
    runs dry.
    """
    promised = promised_units(target)
    wallet = None if facts is None else facts.wallet
    if facts is not None and wallet is not None and wallet < promised:
        reason = "wallet"
    is_open = facts is not None and not reason
    TargetState.objects.update_or_create(
        name=target,
        defaults={
            "probed_at": timezone.now(),
            "open": is_open,
            "reason": reason[:120],
            "version": "" if facts is None else facts.version[:60],
            "wallet": wallet,
            "promised": promised,
        },
    )
    return is_open


def promised_units(target: str) -> int:
    """What all live keys of a target may still use, in micro-units, as far as is known."""
    leaders = Delivery.objects.filter(target=target, state__in=LIVE, cap__isnull=False).exclude(handle="")
    newest = leaders.values("label").annotate(newest=Max("pk")).values_list("newest", flat=True)
    caps = Delivery.objects.filter(pk__in=list(newest)).aggregate(total=Sum("cap"))["total"] or 0
    shown = (
        Snapshot.objects.filter(delivery_id__in=list(newest)).values("delivery_id").annotate(u=Max("used"))
    )
    return max(0, caps - sum(row["u"] or 0 for row in shown))


def _owner(delivery: Delivery) -> uuid.UUID:
    owner = delivery.customer.owner_id
    if owner is None:
        raise Gone
    return owner


def _note(delivery_id: int, name: str) -> None:
    row = DeliveryStep(delivery_id=delivery_id, name=name, at=timezone.now())
    DeliveryStep.objects.bulk_create([row], ignore_conflicts=True)


def leaders(target: str, labels: Iterable[str]) -> dict[str, Led]:
    """Of these labels of a target, those that are ours, with the delivery that leads each."""
    rows = Delivery.objects.filter(target=target, label__in=list(labels)).order_by("pk")
    fields = ("pk", "label", "handle", "state", "created_at")
    return {row[1]: Led(*row) for row in rows.values_list(*fields)}


def live_leaders(target: str) -> Iterator[Led]:
    """All keys of a target that were made and of which something is live, one by one."""
    rows = Delivery.objects.filter(target=target, state__in=LIVE).exclude(label="").exclude(handle="")
    fields = ("pk", "label", "handle", "state", "created_at")
    for row in rows.order_by("pk").values_list(*fields).iterator(chunk_size=2000):
        yield Led(*row)
