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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypedDict

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from tollkeeper.core.keys import digest
from tollkeeper.core.terms import KeyTerms, decode_key_terms
from tollkeeper.delivery.directory import stopped_plans
from tollkeeper.delivery.keyring import best
from tollkeeper.delivery.models import Delivery, DeliveryStep, Snapshot, Suspension, TargetState
from tollkeeper.delivery.provisioners import Seen, Wish
from tollkeeper.delivery.snapshots import OF_THE_KEY, keep_snapshots
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
    wish: Wish
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
        delivery.attempt, delivery.hint, delivery.digest = former.attempt, former.hint, former.digest
        delivery.paused = former.paused
    else:
        delivery.cap = units or None
        _choose(delivery)
    delivery.save()
    TargetState.objects.filter(name=target).update(promised=F("promised") + units)  # until the next probe
    return former is not None


def _choose(delivery: Delivery) -> None:
    """A fresh label and a fresh secret, sealed."""
    delivery.attempt += 1
    delivery.label = f"{mark()}{delivery.line_id}-{delivery.attempt}"
    delivery.handle, delivery.hint, delivery.digest = "", "", None
    delivery.sealed_choice = seal(_owner(delivery), "sk-" + secrets.token_urlsafe(32), CHOSEN)


def wish(delivery_id: int) -> Wish:
    """What the provisioner is asked for: the same each time. Raises :class:`Gone`."""
    delivery = Delivery.objects.get(pk=delivery_id)
    if delivery.state not in LIVE or delivery.sealed_choice is None:
        raise Gone
    secret = open_sealed(_owner(delivery), delivery.sealed_choice, CHOSEN)
    chain = Delivery.objects.filter(label=delivery.label).order_by("pk")
    return _wish(delivery, _live(chain, timezone.now()), secret)


def _live(chain: Iterable[Delivery], now: dt.datetime) -> list[Delivery]:
    return [row for row in chain if row.state in LIVE and (row.ends_at is None or row.ends_at > now)]


def _wish(first: Delivery, live: Sequence[Delivery], secret: str = "") -> Wish:
    """What the key of these live lines should be: the best of them, to the last of their ends."""
    ends = [row.ends_at for row in live if row.ends_at is not None]
    terms = _best(tuple(row.terms for row in live) or (first.terms,))
    minute = {
        limit.unit: limit.amount
        for limit in sorted(terms.limits, key=lambda limit: -limit.amount)
        if limit.window_s == 60
    }
    return Wish(
        label=first.label,
        secret=secret,
        unit=first.unit,
        cap=first.cap,
        ends_at=max(ends) if ends and len(ends) == len(live) else None,
        models=terms.models,
        ip_ranges=terms.ip_ranges,
        requests_per_minute=minute.get("requests", 0),
        tokens_per_minute=minute.get("tokens", 0),
        concurrency=terms.concurrency,
    )


@lru_cache(maxsize=512)
def _best(terms: tuple[str, ...]) -> KeyTerms:
    return best([decode_key_terms(text) for text in terms])


class Made(TypedDict):
    """A key that was made, as it may stand in a job's journal: of its secret no clear word."""

    handle: str
    sealed: str
    hint: str
    digest: str


def seal_made(delivery_id: int, handle: str, secret: str) -> Made:
    """What is kept of a key: its secret sealed for its owner, its two ends, and a keyed hash."""
    owner = _owner(Delivery.objects.get(pk=delivery_id))
    ends = f"{secret[:3]}…{secret[-4:]}" if len(secret) > 16 else "…"
    mark = digest(secret.encode(), settings.KEY_PEPPER).hex()
    return Made(handle=handle, sealed=seal(owner, secret, SECRET), hint=ends, digest=mark)


@transaction.atomic
def keep_made(delivery_id: int, made: Made) -> None:
    """Store what was made: the id there, and the secret until its owner has seen it."""
    delivery = Delivery.objects.select_for_update().get(pk=delivery_id)
    delivery.handle, delivery.sealed_secret, delivery.sealed_choice = made["handle"], made["sealed"], None
    delivery.save(update_fields=["handle", "sealed_secret", "sealed_choice"])
    known = {"hint": made["hint"], "digest": bytes.fromhex(made["digest"])}
    Delivery.objects.filter(label=delivery.label).update(**known)
    _note(delivery_id, "key ready")
    desire = desired(delivery_id)
    if desire is not None and not (desire.exists and desire.enabled):  # the wish changed while it was made
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
    plans, now, found = stopped_plans(), timezone.now(), {}
    for chain in chains.values():
        made = [row for row in chain if row.handle]
        if made and made[-1].pk in wanted:
            live = _live(chain, now)
            served = [row for row in live if row.plan not in plans]
            off = made[-1].customer_id in stopped or made[-1].target in shut or bool(live and not served)
            found[made[-1].pk] = _desire(made[-1], live, served or live, stopped=off)
    return found


def _desire(first: Delivery, live: list[Delivery], served: list[Delivery], *, stopped: bool) -> Desire:
    """``served`` are the live lines whose plan is not stopped: they say what the key may do."""
    return Desire(
        delivery_id=first.pk,
        target=first.target,
        handle=first.handle,
        exists=bool(live),
        enabled=not (stopped or first.paused) and all(row.state != "suspended" for row in live),
        wish=_wish(first, served),
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
    label = Delivery.objects.values_list("label", flat=True).get(pk=delivery_id)
    looks = Snapshot.objects.filter(OF_THE_KEY, delivery__label=label, used__isnull=False)
    seen = looks.order_by("-as_of").first()
    _anew(label, 0 if seen is None or seen.used is None else seen.used)


@transaction.atomic
def replace(delivery_id: int, handle: str, used: int) -> bool:
    """The key ``handle``, which has used so much, is being taken away: have another made for the rest.

    False if it was replaced before, or nothing live stands behind it any more.
    """
    delivery = Delivery.objects.select_for_update().get(pk=delivery_id)
    return delivery.handle == handle and _anew(delivery.label, used)


def _anew(label: str, used: int) -> bool:
    """A fresh label and secret for all lines of a key, and the job that makes it; the newest live leads."""
    chain = list(Delivery.objects.select_for_update().filter(label=label).order_by("pk"))
    live = [row for row in chain if row.state in LIVE]
    made = [row for row in chain if row.handle]
    if not live or not made:
        return False
    first, cap = live[-1], made[-1].cap
    first.cap = None if cap is None else max(0, cap - used)
    _choose(first)
    first.sealed_secret = None
    first.save()
    rest = Delivery.objects.filter(label=label).exclude(pk=first.pk)
    rest.update(label=first.label, handle="", hint="", digest=None, sealed_secret=None)
    _note(first.pk, f"made anew {first.attempt}")
    enqueue("remake_key", f"remake:{first.pk}:{first.attempt}", delivery_id=first.pk)
    return True


@transaction.atomic
def pause(delivery_id: int, *, paused: bool) -> None:
    """Stop a key for a while on its customer's wish, or let it go on."""
    label = Delivery.objects.values_list("label", flat=True).get(pk=delivery_id)
    if label and Delivery.objects.filter(label=label).exclude(paused=paused).update(paused=paused):
        want(Q(label=label))


@transaction.atomic
def align_again(delivery_id: int) -> int:
    """Have one key brought in line once more; answers 0 if it is at no relay."""
    return want(Q(pk=delivery_id))


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


def leaders_of(target: str, handles: Iterable[str]) -> dict[str, Led]:
    """Of these ids at a target, those of keys of ours, with the delivery that leads each."""
    rows = Delivery.objects.filter(target=target, handle__in=set(handles) - {""})
    fields = ("pk", "label", "handle", "state", "created_at")
    return {row[2]: Led(*row) for row in rows.order_by("pk").values_list(*fields)}
