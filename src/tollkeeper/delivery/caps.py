"""Units of keys at relays that are taken back: once per claim, and given again if it falls through."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q, Sum
from django.utils import timezone

from tollkeeper.delivery.models import CapCut, Delivery
from tollkeeper.delivery.relays import LIVE, leader, want


@transaction.atomic
def cut_cap(line_id: int, *, claim: str, units: int | None = None) -> int:
    """Take ``units`` of a line back from the key it went to (None: all that is left); answers how many.

    Never more than the line gave. The same ``claim`` again takes nothing.
    """
    row = Delivery.objects.select_for_update().filter(line_id=line_id).exclude(label="").first()
    if row is None or CapCut.objects.filter(claim=claim).exists():
        return 0
    rest = row.units - taken_of(row)
    taking = rest if units is None else min(units, rest)
    CapCut.objects.create(delivery=row, claim=claim, units=taking)
    _move(row.label, -taking)
    return taking


@transaction.atomic
def restore_cap(claim: str) -> int:
    """Undo :func:`cut_cap` of this claim (a refund failed, a dispute was won); answers the units."""
    cut = CapCut.objects.select_for_update().filter(claim=claim, undone=False).first()
    if cut is None:
        return 0
    cut.undone = True
    cut.save(update_fields=["undone"])
    _move(cut.delivery.label, cut.units)
    return cut.units


def cut_under(claim: str) -> int:
    """Units that the cut ``claim`` took; 0 if there was none, or it was undone."""
    return CapCut.objects.filter(claim=claim, undone=False).values_list("units", flat=True).first() or 0


def taken_of(row: Delivery) -> int:
    """Units of a line that were taken back and not given again."""
    return row.cuts.filter(undone=False).aggregate(total=Sum("units"))["total"] or 0


def unspent_units(line_id: int, used: int) -> int:
    """What is left of a line of a key of which ``used`` is used in all: the oldest line is spent first."""
    row = Delivery.objects.get(line_id=line_id)
    first = leader(row.label)
    if first is None or first.cap is None:
        return 0
    now = timezone.now()
    newer = Delivery.objects.filter(label=row.label, state__in=LIVE, pk__gt=row.pk)
    newer = newer.filter(Q(ends_at__isnull=True) | Q(ends_at__gt=now))
    theirs = sum(each.units - taken_of(each) for each in newer)
    return max(0, min(row.units - taken_of(row), first.cap - used - theirs))


def _move(label: str, units: int) -> None:
    first = leader(label)
    if first is None or first.cap is None or not units:
        return
    first.cap = max(0, first.cap + units)
    first.save(update_fields=["cap"])
    want(Q(pk=first.pk))
