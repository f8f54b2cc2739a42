"""Who else has to forget an erased person, and who has: one row for each thing to be told.

The row holds what the other side calls the person (an opaque id) until it has forgotten, and
then no longer. It is written before the first row of the person goes.
"""

from __future__ import annotations

import datetime as dt
import hmac
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tollkeeper.core import states
from tollkeeper.core.refusal import Refused
from tollkeeper.privacy.case_models import ErasureReceipt, Forgetting

KINDS = ("plan", "payer", "key", "contract", "letter")
"""A plan to be ended, a payer and a key to be deleted; one that deletes by itself as its contract
says; one that has to be written to."""


@dataclass(frozen=True, slots=True)
class Duty:
    """One thing to be told. ``reference`` is empty once it was."""

    id: int
    receipt: str
    kind: str
    processor: str
    reference: str
    state: str
    tries: int
    code: str
    due_on: dt.date
    told_at: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an erasure did, as anybody who knows its number may see: counts, nothing of a person."""

    number: str
    begun_at: dt.datetime
    erased_at: dt.datetime | None
    gone: dict[str, int]
    kept: dict[str, int]
    duties: tuple[Duty, ...]


def begin(subject: uuid.UUID, request: str = "") -> str:
    """The receipt of an erasure, made if there is none yet; its number, that of the request if any.

    Otherwise it is made of a keyed hash, so that an erasure that was killed finds its own again.
    """
    number = request or "E-" + _mark("privacy.receipt", subject.hex)[:10].upper()
    ErasureReceipt.objects.get_or_create(number=number)
    return number


def _mark(context: str, text: str) -> str:
    """A keyed hash, 24 hex digits. The pepper is not rotated, unlike the key of the indexes: an erasure that
    was killed finds its own again after any rotation."""
    return hmac.digest(settings.KEY_PEPPER, f"{context}|{text}".encode(), "sha256").hex()[:24]


def expect(receipt: str, kind: str, processor: str, reference: str = "", *, due_on: dt.date) -> Duty:
    """Note that somebody has to be told, once per thing; erasing again finds the same row."""
    mark = _mark("privacy.forgetting", f"{kind}|{processor}|{reference or receipt}")
    row, _ = Forgetting.objects.get_or_create(
        mark=mark,
        defaults={
            "receipt": receipt,
            "kind": kind,
            "processor": processor,
            "reference": reference,
            "due_on": due_on,
            "state": {"contract": "contract", "letter": "by_hand"}.get(kind, "waiting"),
        },
    )
    return _duty(row)


def finish(number: str, gone: Mapping[str, int], kept: Mapping[str, int], *, whole: bool) -> None:
    """The rows are gone; ``whole`` says that the key is destroyed and no hold order keeps anything."""
    with transaction.atomic():
        row = ErasureReceipt.objects.select_for_update().get(number=number)
        row.erased_at = (row.erased_at or timezone.now()) if whole else None
        # erased in parts (a hold order was released): counts add up
        row.gone, row.kept = dict(Counter(row.gone) + Counter(gone)), dict(kept)
        row.save()


def get_duty(duty_id: int) -> Duty:
    """Raises :class:`Refused`."""
    row = Forgetting.objects.filter(pk=duty_id).first()
    if row is None:
        raise Refused("This is not waiting for anybody.")
    return _duty(row)


def told(duty_id: int) -> None:
    """It is forgotten there: the reference goes here too. Once told, telling again changes nothing."""
    with transaction.atomic():
        row = Forgetting.objects.select_for_update().get(pk=duty_id)
        if row.state == "told":
            return
        row.state, row.told_at = states.step(states.FORGETTING, row.state, "tell"), timezone.now()
        row.reference, row.code = "", ""
        row.save()


def told_by_hand(duty_id: int) -> None:
    """An operator says that they told them. Raises :class:`Refused`."""
    row = Forgetting.objects.filter(pk=duty_id).first()
    if row is None or row.state not in ("by_hand", "unknown"):
        raise Refused("This is not waiting for anybody.")
    told(duty_id)


def unsure(duty_id: int, code: str) -> None:
    """No answer, or a refusal: ``code`` is a word, never a text from outside."""
    _step(duty_id, "lose", code)


def hand_over(duty_id: int) -> None:
    """The machine gives up: somebody has to do it."""
    _step(duty_id, "give_up", None)


def _step(duty_id: int, event: str, code: str | None) -> None:
    with transaction.atomic():
        row = Forgetting.objects.select_for_update().get(pk=duty_id)
        if row.state == "told":
            return
        row.state = states.step(states.FORGETTING, row.state, event)
        row.tries += 1
        row.code = row.code if code is None else code[:40]
        row.save()


def waiting() -> list[Duty]:
    """What a person has to do, and what was asked without an answer, the most urgent first."""
    rows = Forgetting.objects.filter(state__in=("by_hand", "unknown")).order_by("due_on", "pk")
    return [_duty(row) for row in rows]


def find_receipt(number: str) -> Receipt | None:
    """What an erasure did."""
    row = ErasureReceipt.objects.filter(number=number).first()
    if row is None:
        return None
    duties = tuple(_duty(one) for one in Forgetting.objects.filter(receipt=number).order_by("pk"))
    return Receipt(row.number, row.begun_at, row.erased_at, row.gone, row.kept, duties)


def counts(today: dt.date) -> dict[str, int]:
    """How many there are by state, and how many are ``late``."""
    found = Counter(Forgetting.objects.values_list("state", flat=True))
    late = Forgetting.objects.filter(due_on__lt=today).exclude(state__in=("told", "contract"))
    return {**found, "late": late.count()}


def _duty(row: Forgetting) -> Duty:
    return Duty(
        row.pk,
        row.receipt,
        row.kind,
        row.processor,
        row.reference,
        row.state,
        row.tries,
        row.code,
        row.due_on,
        row.told_at,
    )
