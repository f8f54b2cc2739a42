"""Our books beside a provider's: what each has alone, and what differs. In the caller's transaction."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Sum

from tollkeeper.payments.models import Attempt, Dispute, Finding, Refund
from tollkeeper.payments.providers import Moved

KEEP = dt.timedelta(days=400)


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One disagreement, as the desk shows it."""

    finding_id: int
    provider: str
    what: str
    reference: str
    amount_minor: int
    currency: str
    found_at: dt.datetime


def recorded(provider: str, move: Moved) -> int | None:
    """What our books say of a move, in minor units; None if they do not have it."""
    if move.what == "payment":
        paid = Attempt.objects.filter(provider=provider, payment=move.reference, state="succeeded")
        return paid.aggregate(sum=Sum("amount_minor"))["sum"]
    if move.what == "refund":
        back = Refund.objects.filter(attempt__provider=provider, reference=move.reference)
        return back.values_list("amount_minor", flat=True).first()
    claims = Dispute.objects.filter(attempt__provider=provider, reference=move.reference)
    return claims.values_list("amount_minor", flat=True).first()


def differing(provider: str, moves: Iterable[Moved]) -> list[tuple[str, Moved]]:
    """(word, move) of the moves that our books do not have, or have otherwise."""
    found = []
    for move in moves:
        ours = recorded(provider, move)
        if ours is None:
            found.append((f"unknown_{move.what}", move))
        elif ours != move.amount_minor:
            found.append(("amount", move))
    return found


def missing(provider: str, moves: Iterable[Moved], since: dt.datetime, until: dt.datetime) -> list[Moved]:
    """Payments and refunds that our books alone have, settled between two instants."""
    theirs = Counter((move.what, move.reference) for move in moves)
    paid = Attempt.objects.filter(
        provider=provider,
        state="succeeded",
        amount_minor__gt=0,
        succeeded_at__gte=since,
        succeeded_at__lt=until,
    ).exclude(payment="")
    back = Refund.objects.filter(
        attempt__provider=provider, state="succeeded", settled_at__gte=since, settled_at__lt=until
    ).exclude(reference__startswith="hand_")
    ours = [
        *(Moved("payment", a.payment, a.payment, a.amount_minor, a.currency) for a in paid),
        *(Moved("refund", r.reference, "", r.amount_minor, r.currency) for r in back),
    ]
    return [move for move in ours if (move.what, move.reference) not in theirs]


def keep(provider: str, found: Iterable[tuple[str, str, int, str]], now: dt.datetime) -> int:
    """Write down what was found, as (what, reference, minor units, currency); how many are new.

    What was there before and is not found any more has ended.
    """
    fresh, seen = 0, []
    for what, reference, amount, currency in found:
        row, made = Finding.objects.get_or_create(
            provider=provider,
            what=what[:80],
            reference=reference,
            defaults={"amount_minor": amount, "currency": currency, "found_at": now},
        )
        fresh += made
        seen.append(row.pk)
    Finding.objects.filter(provider=provider, ended_at=None).exclude(pk__in=seen).update(ended_at=now)
    Finding.objects.filter(ended_at__lt=now - KEEP).delete()
    return fresh


def open_findings(limit: int = 100) -> tuple[FindingRow, ...]:
    """What does not agree and nobody has settled, oldest first."""
    return tuple(
        FindingRow(r.pk, r.provider, r.what, r.reference, r.amount_minor, r.currency, r.found_at)
        for r in Finding.objects.filter(ended_at=None).order_by("found_at", "pk")[:limit]
    )


def settle(finding_id: int, now: dt.datetime) -> bool:
    """A person has settled it; it does not come back. False if it has ended already."""
    return bool(Finding.objects.filter(pk=finding_id, ended_at=None).update(ended_at=now))
