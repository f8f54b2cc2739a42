"""Breaks every promise once, and looks whether `prove` tells exactly that one."""

from __future__ import annotations

from collections.abc import Callable

from django.core.cache import cache
from django.db import transaction

from tollkeeper.core.rehearsal import Figure, Outcome, Scene
from tollkeeper.drills._faults import DEPENDS, FAULTS, Injector
from tollkeeper.drills._faults_more import DEPENDS_MORE, MORE
from tollkeeper.drills._shop import open_shop
from tollkeeper.proofs import running
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.probe import probes_of

SUMMARY = "One fault for each promise: exactly its row turns red, and those that depend on it."


def run(scene: Scene) -> Outcome:
    """Inject each fault alone; quick runs only the fault's own promise."""
    open_shop()
    depends = {**DEPENDS, **DEPENDS_MORE}
    promised = Context().policy.promises
    faults = {name: fault for name, fault in {**FAULTS, **MORE}.items() if name in promised}
    before = {row.id for row in running.run() if row.status == running.BROKEN}
    caught = 0
    missed: list[str] = []
    strays: list[str] = []
    for number, (promise, inject) in enumerate(faults.items()):
        scene.say(number, len(faults), inject.__name__)
        red = _red(promise if scene.quick else None, inject) - before
        caught += promise in red
        missed += [promise] * (promise not in red)
        same = {name for name, fault in faults.items() if fault is inject or _kin(name, promise)}
        others = red - {promise} - depends.get(promise, frozenset()) - same
        strays += [f"{promise}>{other}" for other in sorted(others)]
    after = {row.id for row in running.run() if row.status == running.BROKEN}
    figures: dict[str, Figure] = {
        "faults": len(faults),
        "caught": caught,
        "missed": len(missed),
        "missed_rows": " ".join(missed) or None,
        "strays": len(strays),
        "stray_rows": " ".join(strays) or None,
        "red_before": len(before),
        "red_after": len(after),
    }
    return Outcome(not missed and not strays and not before and not after, figures)


def _kin(one: str, other: str) -> bool:
    """True for promises that the same probe shows."""
    return bool(set(probes_of(one)) & set(probes_of(other)))


def _red(only: str | None, inject: Callable[[Injector], None]) -> set[str]:
    """The promises that are broken while a fault lasts."""
    cache.clear()
    with transaction.atomic(), transaction.atomic(using="keystore"), Injector() as at:
        inject(at)
        rows = running.run([only] if only else None)
        transaction.set_rollback(True)
        transaction.set_rollback(True, using="keystore")
    return {row.id for row in rows if row.status == running.BROKEN}
