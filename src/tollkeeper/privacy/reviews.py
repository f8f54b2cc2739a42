"""The audit plan: what people look at again and again, when it was done, when it is due.

The plan is data of the policy (``[reviews.…]``); ends of contracts, transfer tools, balancing
notes and attestations are due dates of their own and need not be listed. What is due shows on
the desk; what is overdue breaks the promise of regular audits.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import models, transaction
from django.utils import timezone

from tollkeeper.core.policy_nodes import Words
from tollkeeper.core.policy_schema import Policy
from tollkeeper.core.refusal import Refused
from tollkeeper.kit import audit
from tollkeeper.kit.trail.subjects import pseudonyms
from tollkeeper.privacy import attestations, policy_queries
from tollkeeper.privacy.models import Review

AHEAD = dt.timedelta(days=30)
"""How long before its day a review is shown as a task."""
_YEAR = 365
_BALANCE_DAYS = 2 * 366


class UnknownReview(Refused):
    """A review that the plan does not have; the text names those it has."""


@dataclass(frozen=True, slots=True)
class Due:
    """One line of the plan. ``kind`` is ``review``, ``contract``, ``transfer``, ``balancing``, ``ccpa``
    or ``attestation``; ``name`` the node it is about; ``last_on`` None means never done."""

    kind: str
    name: str
    title: Words
    due_on: dt.date
    last_on: dt.date | None = None
    findings: int = 0

    def overdue(self, today: dt.date) -> bool:
        """Whether its day has passed."""
        return self.due_on < today

    def soon(self, today: dt.date) -> bool:
        """Whether it is a task now."""
        return self.due_on <= today + AHEAD


def plan(policy: Policy, begun: dt.date) -> list[Due]:
    """Every line of the plan by day; ``begun`` is when the first period of a review starts."""
    return sorted(_lines(policy, begun), key=lambda one: (one.due_on, one.kind, one.name))


def _lines(policy: Policy, begun: dt.date) -> Iterator[Due]:
    last: dict[str, Review] = {}
    for row in Review.objects.filter(item__in=policy.reviews).order_by("done_on", "pk"):
        last[row.item] = row
    for name, item in policy.reviews.items():
        done = last.get(name)
        start = done.done_on if done else begun
        day = start + dt.timedelta(days=item.every_days)
        yield Due(
            "review", name, item.title, day, done.done_on if done else None, done.findings if done else 0
        )
    for name, one in policy.recipients.items():
        title = Words(en=one.name, zh=one.name)
        if one.contract.until:
            yield Due("contract", name, title, one.contract.until, one.contract.signed_on)
        if one.transfer.until:
            yield Due("transfer", name, title, one.transfer.until)
    for name, purpose in policy.purposes.items():
        if purpose.balanced_on:
            day = purpose.balanced_on + dt.timedelta(days=_BALANCE_DAYS)
            yield Due("balancing", name, purpose.title, day, purpose.balanced_on)
    ccpa = policy.regimes.ccpa
    if ccpa.applies and ccpa.reviewed_on:
        title = Words(en="Notice for California", zh="加州告知")
        yield Due("ccpa", "ccpa", title, ccpa.reviewed_on + dt.timedelta(days=_YEAR), ccpa.reviewed_on)
    for name, word in attestations.standing(policy.promises, live=False).items():
        said = policy.promises[name]
        yield Due("attestation", name, Words(en=said.en, zh=said.zh), word.until, word.since)


def tasks(now: dt.datetime) -> list[Due]:
    """What an operator has to do within :data:`AHEAD`, overdue first; empty without a policy."""
    version = policy_queries.find_current()
    if version is None:
        return []
    return [one for one in plan(version.policy, begun(now)) if one.soon(now.date())]


def begun(now: dt.datetime) -> dt.date:
    """The day on which the first version of the policy started; today before there is one."""
    days = [one.activated_at for one in policy_queries.list_public() if one.activated_at is not None]
    return min(days, default=now).date()


def done(item: str, *, by: uuid.UUID | None, on: dt.date, findings: int = 0) -> int:
    """Note that a review of the plan was done; its number. ``by`` None is the house itself, for a drill
    that runs by a job. Raises :class:`UnknownReview`, or ``Refused`` for a day to come."""
    policy = policy_queries.get_current().policy
    if item not in policy.reviews:
        raise UnknownReview(
            f"the audit plan has no {item!r}; it has {', '.join(policy.reviews) or 'nothing'}"
        )
    now = timezone.now()
    if on > now.date() or findings < 0:
        raise Refused("a review was done today or before, with no fewer than 0 findings")
    who = audit.person(by) if by is not None else "system"
    with transaction.atomic():
        entry = audit.record(
            "review.done", actor=who, object=f"review:{item}", note=f"on:{on},findings:{findings}"
        )
        return Review.objects.create(item=item, done_on=on, by=who, findings=findings, entry=entry, at=now).pk


def rows_of(subject: uuid.UUID) -> models.QuerySet[Review]:
    """Reviews that a person did."""
    return Review.objects.filter(by__in=pseudonyms(subject).values("name"))
