"""Verbs on relays themselves: what a probe found, what is promised from there, the switch of all keys."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Max, Q, Sum
from django.utils import timezone

from tollkeeper.delivery.models import Delivery, Snapshot, TargetState
from tollkeeper.delivery.provisioners import Facts
from tollkeeper.delivery.relays import LIVE, want
from tollkeeper.delivery.snapshots import OF_THE_KEY


@transaction.atomic
def stop_target(name: str, *, stopped: bool) -> int:
    """Stop all keys at a relay, or let them go on; answers how many. New ones are born stopped."""
    never = {"probed_at": timezone.now(), "open": False, "reason": "not_asked"}
    TargetState.objects.get_or_create(name=name, defaults=never)
    TargetState.objects.filter(name=name).update(stopped=stopped)
    return want(Q(target=name, state__in=LIVE))


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
            "wallet": wallet,
            "promised": promised,
            **({} if facts is None else _known(facts)),
        },
    )
    return is_open


def _known(facts: Facts) -> dict[str, object]:
    """What stays true of a relay while it does not answer."""
    return {
        "version": facts.version[:60],
        "unit": facts.unit[:20],
        "keeps": " ".join(sorted(facts.keeps)),
        "skew_s": facts.skew_s,
    }


def promised_units(target: str) -> int:
    """What all live keys of a target may still use, in micro-units, as far as is known.

    Those that are being made count as well.
    """
    leaders = Delivery.objects.filter(target=target, state__in=LIVE, cap__isnull=False).exclude(label="")
    newest = leaders.values("label").annotate(newest=Max("pk")).values_list("newest", flat=True)
    caps = Delivery.objects.filter(pk__in=list(newest)).aggregate(total=Sum("cap"))["total"] or 0
    looks = Snapshot.objects.filter(OF_THE_KEY, delivery_id__in=list(newest))
    shown = looks.values("delivery_id").annotate(u=Max("used"))
    return max(0, caps - sum(row["u"] or 0 for row in shown))
