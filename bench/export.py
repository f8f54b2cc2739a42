"""A person with very many calls asks for their copy: how fast, and that memory stays flat."""

from __future__ import annotations

import json
import resource
import time
import uuid

from bench._call_rows import fill
from tollkeeper.accounts import services as accounts
from tollkeeper.core.rehearsal import Figure, Outcome, Scene
from tollkeeper.drills._shop import open_shop
from tollkeeper.privacy.copying import copy_of

SUMMARY = "Rows per second of a person's copy, and the memory it takes for ten times the calls."
_PART = 20_000


def _copy(subject: uuid.UUID, scene: Scene, of: int) -> tuple[int, float]:
    began, rows, size = time.perf_counter(), 0, 0
    for part in copy_of(subject):
        for row in part.rows:
            size += len(json.dumps(row, default=str))
            rows += 1
            if rows % _PART == 0:
                scene.say(rows, of, "rows")
    return rows, time.perf_counter() - began


def _mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(scene: Scene) -> Outcome:
    """Copy a person with few calls, then one with ten times as many; ``ok``: at most 24 MiB more."""
    open_shop()
    large = 50_000 if scene.quick else 10_000_000
    small = large // 10
    people = []
    for count in (small, large):
        user = accounts.create_person(f"person{count}@example.org", None)
        fill(accounts.ensure_customer(user), count)
        people.append(user.pk)
    rows_small, _ = _copy(people[0], scene, small)
    before = _mib()
    rows, took = _copy(people[1], scene, large)
    grown = _mib() - before
    figures: dict[str, Figure] = {
        "calls": large,
        "rows": rows,
        "rows_per_s": round(rows / took),
        "s": round(took, 2),
        "peak_mib": round(_mib(), 1),
        "grown_mib": round(grown, 1),
    }
    return Outcome(rows > large and rows_small > small and grown <= 24, figures)
