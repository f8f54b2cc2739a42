"""Verbs on deliveries: from a paid line to a key that its customer has seen."""

from __future__ import annotations

import datetime as dt
import uuid

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from tollkeeper.core import states
from tollkeeper.core.keys import KeyText
from tollkeeper.core.terms import KeyTerms, encode
from tollkeeper.delivery import caps, registry, relays
from tollkeeper.delivery.directory import HOME, live_terms
from tollkeeper.delivery.house import OVER
from tollkeeper.delivery.keys import GONE, refresh_terms, resume_keys, suspend_keys
from tollkeeper.delivery.models import Delivery, DeliveryStep, Key
from tollkeeper.delivery.provisioners import Wish
from tollkeeper.kit.sealed import open_sealed, seal

CONTEXT = "delivery.secret"
STOPPED_LINE = "refund"
"""Reason of a suspension: what the key spends from is being given back."""


class NoDelivery(Exception):
    """The customer has no such delivery."""


class AlreadyRevealed(Exception):
    """The key was shown before; it stands nowhere any more."""


@transaction.atomic
def open_delivery(
    line_id: int, *, customer_id: int, provisioner: str, terms: KeyTerms, ends_at: dt.datetime | None = None
) -> int:
    """Begin the hand-over of a line, or go on with it; answers the delivery's id."""
    row = Delivery(
        line_id=line_id,
        customer_id=customer_id,
        provisioner=provisioner,
        alias=f"ord-{line_id}",
        plan=terms.plan,
        unit=terms.unit,
        terms=encode(terms),
        ends_at=ends_at,
    )
    Delivery.objects.bulk_create([row], ignore_conflicts=True)
    delivery = Delivery.objects.select_for_update().get(line_id=line_id)
    for event in {"none": ("queue", "start"), "failed": ("queue", "start"), "queued": ("start",)}.get(
        delivery.state, ()
    ):
        delivery.state = states.step(states.FULFILMENT, delivery.state, event)
    delivery.error = ""
    delivery.save(update_fields=["state", "error"])
    note(delivery.pk, "preparing")
    return delivery.pk


@transaction.atomic
def take_up(delivery_id: int) -> bool:
    """Go on with a hand-over that was given up, for its job was put back; False if it was not given up."""
    delivery = _locked(delivery_id)
    if delivery.state != "failed":
        return False
    for event in ("queue", "start"):
        delivery.state = states.step(states.FULFILMENT, delivery.state, event)
    delivery.error = ""
    delivery.save(update_fields=["state", "error"])
    note(delivery_id, "taken up again")
    return True


@transaction.atomic
def provide_key(delivery_id: int, *, title: str) -> bool:
    """Give the delivery a key on our gate: the customer's, raised, or a new one, sealed until it is shown.

    Answers whether there is a key to be shown. Running it again changes nothing.
    """
    delivery = _locked(delivery_id)
    if delivery.key_id is None:
        handed = registry.at_home(title).provide(Wish(delivery.alias, "", delivery.unit))
        delivery.refresh_from_db()
        if handed.secret:
            delivery.sealed_secret = seal(_owner(delivery), handed.secret, CONTEXT)
            delivery.save(update_fields=["sealed_secret"])
        note(delivery_id, "key ready")
    return delivery.sealed_secret is not None


@transaction.atomic
def finish_delivery(delivery_id: int) -> bool:
    """Say that everything of the line is handed over; False if that was said before."""
    delivery = _locked(delivery_id)
    if delivery.state != "running":
        return False
    delivery.state = states.step(states.FULFILMENT, delivery.state, "deliver")
    delivery.delivered_at, delivery.error = timezone.now(), ""
    delivery.save(update_fields=["state", "delivered_at", "error"])
    note(delivery_id, "delivered")
    return True


@transaction.atomic
def hold_up(delivery_id: int, reason: str) -> None:
    """Say why a hand-over has not come about yet; ``reason`` is a word for operators, never personal."""
    if Delivery.objects.filter(pk=delivery_id, state="running").update(error=reason[:120]):
        note(delivery_id, "held up")


@transaction.atomic
def fail_delivery(line_id: int, error: str) -> bool:
    """Say that a line could not be handed over; ``error`` is a word for operators, never personal.

    What held it up so far, if that is known, says more and stays.
    """
    delivery = Delivery.objects.select_for_update().filter(line_id=line_id, state="running").first()
    if delivery is None:
        return False
    delivery.state = states.step(states.FULFILMENT, delivery.state, "fail")
    delivery.error = delivery.error or error[:120]
    delivery.save(update_fields=["state", "error"])
    note(delivery.pk, "failed")
    return True


@transaction.atomic
def revoke_delivery(line_id: int, *, spent_stays: bool = False) -> bool:
    """Take a line's rights back (refund, lost dispute, end of plan). Keys keep what else was delivered.

    ``spent_stays``: what was used of the line is paid for and burdens no other line of its key.
    """
    delivery = Delivery.objects.select_for_update().filter(line_id=line_id).first()
    if delivery is None or delivery.state not in ("delivered", "suspended", "failed"):
        return False
    delivery.state = states.step(states.FULFILMENT, delivery.state, "revoke")
    delivery.sealed_secret = None
    delivery.save(update_fields=["state", "sealed_secret"])
    note(delivery.pk, "revoked")
    if delivery.provisioner == HOME:
        _release(delivery)
        _after_end(delivery.customer_id, delivery.unit)
    elif delivery.label:
        if not spent_stays:
            caps.cut_cap(line_id, claim=f"end:{line_id}")
        relays.want(Q(label=delivery.label))
    return True


@transaction.atomic
def stop_line(line_id: int) -> bool:
    """Stop what a line gave, before its use is counted for the last time; False if it is not delivered.

    At a relay its key stops. At home its customer's keys stop unless something else was
    delivered that they may spend; the line's units are the ledger's to withhold.
    """
    delivery = Delivery.objects.select_for_update().filter(line_id=line_id).first()
    if delivery is None or delivery.state != "delivered":
        return False
    delivery.state = states.step(states.FULFILMENT, delivery.state, "suspend")
    delivery.stopped_at = timezone.now()
    delivery.save(update_fields=["state", "stopped_at"])
    if delivery.provisioner == HOME:
        others = Delivery.objects.filter(customer_id=delivery.customer_id, unit=delivery.unit)
        others = others.filter(provisioner=HOME, state__in=("running", "delivered"))
        if not others.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=timezone.now())).exists():
            for key in _keys_of(delivery):
                suspend_keys(delivery.customer_id, STOPPED_LINE, key_id=key.pk)
    else:
        relays.want(Q(label=delivery.label))
    return True


@transaction.atomic
def resume_line(line_id: int) -> bool:
    """Let a line that was stopped go on, because nothing came of it; False if it was not stopped."""
    delivery = Delivery.objects.select_for_update().filter(line_id=line_id, state="suspended").first()
    if delivery is None:
        return False
    delivery.state = states.step(states.FULFILMENT, delivery.state, "resume")
    delivery.stopped_at = None
    delivery.save(update_fields=["state", "stopped_at"])
    if delivery.provisioner == HOME:
        _release(delivery)
    else:
        relays.want(Q(label=delivery.label))
    return True


def _release(delivery: Delivery) -> None:
    for key in _keys_of(delivery):
        resume_keys(delivery.customer_id, STOPPED_LINE, key_id=key.pk)


def _keys_of(delivery: Delivery) -> list[Key]:
    mine = Key.objects.filter(customer_id=delivery.customer_id, unit=delivery.unit)
    return list(mine.exclude(state__in=GONE))


@transaction.atomic
def end_deliveries(now: dt.datetime | None = None, limit: int = 200) -> int:
    """Bring keys in line with periods that ended; answers how many they were."""
    now = now or timezone.now()
    over = Delivery.objects.filter(ends_at__lte=now, ended=False, state__in=("delivered", "suspended"))
    rows = list(over.order_by("ends_at")[:limit])
    owners = sorted({(row.customer_id, row.unit) for row in rows if row.provisioner == HOME})
    relays.want(Q(label__in=[row.label for row in rows if row.label]))
    Delivery.objects.filter(pk__in=[row.pk for row in rows]).update(ended=True)
    for customer_id, unit in owners:
        _after_end(customer_id, unit)
    return len(rows)


def _after_end(customer_id: int, unit: str) -> None:
    """Keys without any live delivery stop; the others get what is left."""
    if live_terms(customer_id, unit):
        refresh_terms(customer_id, unit)
        return
    for key in Key.objects.filter(customer_id=customer_id, unit=unit).exclude(state__in=GONE):
        suspend_keys(customer_id, OVER, key_id=key.pk)


@transaction.atomic
def reveal(delivery_id: int, customer_id: int) -> KeyText:
    """The text of a delivered key, once: from then on it stands nowhere.

    Raises :class:`NoDelivery`, :class:`AlreadyRevealed`.
    """
    delivery = Delivery.objects.select_for_update().filter(pk=delivery_id, customer_id=customer_id).first()
    if delivery is None:
        raise NoDelivery
    if delivery.sealed_secret is None or delivery.state != "delivered":
        raise AlreadyRevealed
    text = KeyText(open_sealed(_owner(delivery), delivery.sealed_secret, CONTEXT))
    delivery.sealed_secret = None
    delivery.revealed_at = timezone.now()
    delivery.save(update_fields=["sealed_secret", "revealed_at"])
    note(delivery_id, "shown")
    return text


def note(delivery_id: int, name: str) -> None:
    """Write down that something was done for a delivery, the first time."""
    row = DeliveryStep(delivery_id=delivery_id, name=name, at=timezone.now())
    DeliveryStep.objects.bulk_create([row], ignore_conflicts=True)


def _owner(delivery: Delivery) -> uuid.UUID:
    owner = delivery.customer.owner_id
    if owner is None:
        raise NoDelivery  # the person was erased: there is nobody to hand anything to
    return owner


def _locked(delivery_id: int) -> Delivery:
    return Delivery.objects.select_for_update().get(pk=delivery_id)
