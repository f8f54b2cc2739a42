"""Breaks every promise once, and looks whether `prove` tells exactly that one."""

from __future__ import annotations

from django.core.cache import cache
from django.db import transaction

from tollkeeper.core.rehearsal import Figure, Outcome, Scene
from tollkeeper.drills._faults import DEPENDS, FAULTS, Injector
from tollkeeper.drills._shop import open_shop
from tollkeeper.proofs import running

SUMMARY = "One fault for each promise: exactly its row turns red, and those that depend on it."


def run(scene: Scene) -> Outcome:
    """Inject each fault alone; quick runs only the fault's own promise."""
    open_shop()
    before = {row.id for row in running.run() if row.status == running.BROKEN}
    caught = missed = 0
    strays: list[str] = []
    for number, (promise, inject) in enumerate(FAULTS.items()):
        scene.say(number, len(FAULTS), inject.__name__)
        red = _red(promise if scene.quick else None, promise) - before
        caught += promise in red
        missed += promise not in red
        others = red - {promise} - DEPENDS.get(promise, frozenset())
        strays += [f"{promise}>{other}" for other in sorted(others)]
    after = {row.id for row in running.run() if row.status == running.BROKEN}
    figures: dict[str, Figure] = {
        "faults": len(FAULTS),
        "caught": caught,
        "missed": missed,
        "strays": len(strays),
        "stray_rows": " ".join(strays) or None,
        "red_before": len(before),
        "red_after": len(after),
    }
    return Outcome(not missed and not strays and not before and not after, figures)


def _red(only: str | None, promise: str) -> set[str]:
    """The promises that are broken while the fault of ``promise`` lasts."""
    cache.clear()
    with transaction.atomic(), transaction.atomic(using="keystore"), Injector() as at:
        FAULTS[promise](at)
        rows = running.run([only] if only else None)
        transaction.set_rollback(True)
        transaction.set_rollback(True, using="keystore")
    return {row.id for row in rows if row.status == running.BROKEN}
