"""What only a person can vouch for: their signed word, with its end, in the audit trail.

A word covers facts (a contract with its dates, a list of countries) by their hash: once the
facts are others, it covers them no longer. It is never changed; a newer one replaces it, or
takes it back. Every word is signed with the installation's key and its hash is chained into
the audit trail, so that neither date nor person can be altered afterwards.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass

from django.conf import settings
from django.db import models, transaction

from tollkeeper.core.refusal import Refused
from tollkeeper.kit import audit, signing
from tollkeeper.kit.trail.subjects import pseudonyms
from tollkeeper.privacy.models import Attestation
from tollkeeper.privacy.proof_models import ROLES as ROLES

LONGEST = dt.timedelta(days=731)
"""How far ahead a word may reach."""
STAND_IN = "stand_in"
USE = "attestations"
"""What the key of these signatures is for."""


@dataclass(frozen=True, slots=True)
class Word:
    """A person's word on one promise; ``by`` is a pseudonym, ``since`` and ``until`` are days."""

    number: int
    promise: str
    action: str
    by: str
    role: str
    since: dt.date
    until: dt.date
    covers: str
    entry: int
    at: dt.datetime
    genuine: bool
    """Whether the signature fits what is stored."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What is signed."""

    promise: str
    action: str
    by: str
    role: str
    since: dt.date
    until: dt.date
    covers: str

    def statement(self) -> bytes:
        """The bytes under the signature."""
        return "|".join(("tollkeeper-attestation", settings.SHOP_NAME, *map(str, astuple(self)))).encode()


def give(
    promise: str, *, by: uuid.UUID | None, role: str, until: dt.date, covers: str, now: dt.datetime
) -> int:
    """A person vouches for a promise until a day; the number of the word. Raises :class:`Refused`.

    ``by`` None is the demo's stand-in, whose role must be ``stand_in``.
    """
    if role not in ROLES or (role == STAND_IN) != (by is None):
        raise Refused(f"a person vouches as one of {', '.join(ROLES[:-1])}, not as {role!r}")
    if until < now.date():
        raise Refused(f"{until} is past: a word must hold at least until today")
    if until > now.date() + LONGEST:
        raise Refused(f"{until} is too far ahead: a word holds two years at most, then look again")
    who = audit.person(by) if by is not None else "system"
    return _write(_Said(promise, "given", who, role, now.date(), until, covers), now)


def withdraw(promise: str, *, by: uuid.UUID, role: str, now: dt.datetime) -> int:
    """A person takes back what stands for a promise. Raises :class:`Refused` if nothing does."""
    found = standing([promise], live=False).get(promise)
    if found is None:
        raise Refused(f"nobody vouches for {promise}")
    if role not in ROLES[:-1]:
        raise Refused(f"a word is taken back as one of {', '.join(ROLES[:-1])}, not as {role!r}")
    said = _Said(promise, "withdrawn", audit.person(by), role, now.date(), found.until, found.covers)
    return _write(said, now)


def _write(said: _Said, now: dt.datetime) -> int:
    statement = said.statement()
    with transaction.atomic():
        entry = audit.record(
            f"promise.{said.action}",
            actor=said.by,
            object=f"promise:{said.promise}",
            note=hashlib.sha256(statement).hexdigest(),
        )
        signature = signing.sign(USE, statement)
        return Attestation.objects.create(**asdict(said), signature=signature, entry=entry, at=now).pk


def _word(row: Attestation) -> Word:
    said = _Said(row.promise, row.action, row.by, row.role, row.since, row.until, row.covers)
    genuine = signing.genuine(USE, said.statement(), row.signature)
    return Word(number=row.pk, **asdict(said), entry=row.entry, at=row.at, genuine=genuine)


def standing(promises: Iterable[str], *, live: bool) -> dict[str, Word]:
    """The newest word on each of the promises, expired ones too; those taken back are left out.

    Where ``live``, the demo's stand-in vouches for nothing.
    """
    rows = Attestation.objects.filter(promise__in=list(promises)).order_by("pk")
    if live:
        rows = rows.exclude(role=STAND_IN)
    newest = {row.promise: row for row in rows}
    return {name: _word(row) for name, row in newest.items() if row.action == "given"}


def history(limit: int = 200) -> list[Word]:
    """All words, newest first."""
    return [_word(row) for row in Attestation.objects.order_by("-pk")[:limit]]


def rows_of(subject: uuid.UUID) -> models.QuerySet[Attestation]:
    """What a person vouched for."""
    return Attestation.objects.filter(by__in=pseudonyms(subject).values("name"))
