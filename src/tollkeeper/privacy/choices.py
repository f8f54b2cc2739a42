"""The ledger of choices: what people allow, withdraw, object to; read before data is used.

Giving and withdrawing are the same act with another word, written at once and never changed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from dataclasses import dataclass

from tollkeeper.privacy import policy_queries, restrictions
from tollkeeper.privacy.models import Choice

GPC = "sale"
"""What a ``Sec-GPC`` signal chooses about: selling and sharing, which never happens here."""
_YES = {"give": True, "allow": True, "withdraw": False, "object": False, "opt_out": False}


class UnknownPurpose(ValueError):
    """A purpose that the policy in force does not have."""


@dataclass(frozen=True, slots=True)
class ChoiceRow:
    """One line of the ledger."""

    purpose: str
    action: str
    policy_version: int
    text_hash: str
    source: str
    chosen_at: dt.datetime


def choose(
    action: str,
    purpose: str,
    *,
    subject: uuid.UUID | None = None,
    browser: str = "",
    source: str,
    text: str = "",
) -> int:
    """Add a line: ``give``, ``withdraw``, ``object``, ``allow`` or ``opt_out``; its number.

    ``text`` is what the person was shown; its hash is kept. Either ``subject`` or ``browser``
    says whose choice it is. Raises :class:`UnknownPurpose` or ``ValueError``.
    """
    if action not in _YES:
        raise ValueError(f"a choice is one of {', '.join(_YES)}, not {action!r}")
    if subject is None and not browser:
        raise ValueError("a choice needs a person or a browser")
    version = policy_queries.find_current()
    if purpose != GPC and (version is None or purpose not in version.policy.purposes):
        raise UnknownPurpose(f"the policy in force has no purpose {purpose!r}")
    return Choice.objects.create(
        subject_id=subject,
        browser=browser[:32],
        purpose=purpose,
        action=action,
        policy_version=version.number if version else 0,
        text_hash=hashlib.sha256(text.encode()).hexdigest() if text else "",
        source=source,
    ).pk


def may(subject: uuid.UUID, purpose: str) -> bool:
    """Whether a person's data may be used for a purpose now: they allow it, and no restriction stops it.

    Raises :class:`UnknownPurpose`.
    """
    return allows(subject, purpose) and restrictions.processable(subject, purpose)


def allows(subject: uuid.UUID, purpose: str) -> bool:
    """What a person chose about a purpose.

    Consent must have been given and not withdrawn; other bases hold until objected to.
    Raises :class:`UnknownPurpose`.
    """
    version = policy_queries.get_current()
    if purpose not in version.policy.purposes:
        raise UnknownPurpose(f"the policy in force has no purpose {purpose!r}")
    last = Choice.objects.filter(subject_id=subject, purpose=purpose).order_by("-chosen_at", "-pk").first()
    if last is None:
        return version.policy.purposes[purpose].basis != "consent"
    return _YES[last.action]


def opted_out(subject: uuid.UUID) -> bool:
    """Whether a person's last word on selling and sharing is a no (``Sec-GPC`` or their own)."""
    last = Choice.objects.filter(subject_id=subject, purpose=GPC).order_by("-chosen_at", "-pk").first()
    return last is not None and not _YES[last.action]


def history(subject: uuid.UUID) -> list[ChoiceRow]:
    """A person's choices, newest first."""
    return [
        ChoiceRow(row.purpose, row.action, row.policy_version, row.text_hash, row.source, row.chosen_at)
        for row in Choice.objects.filter(subject_id=subject).order_by("-chosen_at", "-pk")
    ]
