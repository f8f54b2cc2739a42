"""The worker dies at every step of a purchase, a renewal, a refund and a dispute: is the end the same?

Every process that dies is a real one, ended by ``SIGKILL`` before or after each commit and
each request to Stripe; another goes on where it stopped. The end must equal the end of the
same story without any death, and Stripe must have made nothing twice. Runs on SQLite; also
on PostgreSQL where TOLLKEEPER_DRILL_DATABASE_URL names an empty database of a scratch server.
"""

from __future__ import annotations

import json
import random
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.db import connection

from tollkeeper.core.rehearsal import Outcome, Scene
from tollkeeper.drills._kill_points import KillPoints, in_child
from tollkeeper.drills._kill_shop import STORIES, Dealings, go_on, live, warm_up
from tollkeeper.drills._second_book import play_there
from tollkeeper.drills._shop import open_shop
from tollkeeper.drills._whole_stack import Clock
from tollkeeper.kit import queries as jobs
from tollkeeper.usage import services as usage

SUMMARY = (
    "The worker is killed at every step of purchase, renewal, refund and dispute: same end, nothing twice."
)
APART_S = 600.0
"""Between two processes: leases of the dead are over, retries are due, no promise of delivery is broken."""
QUICK_KILLS = 1
"""Kills per act in the small profile."""


@dataclass
class Found:
    """What one run found."""

    kills: int = 0
    steps: int = 0
    wrong: int = 0
    creates: int = 0
    dead_jobs: int = 0
    book_faults: int = 0


@dataclass(frozen=True, slots=True)
class Death:
    """A story, the act in which somebody dies, and the instant in it; ``at`` 0: nobody dies."""

    story: str
    act: int
    at: int = 0


def run(scene: Scene) -> Outcome:
    """``external_creates_max``: the most that Stripe has of one thing; ``wrong``: ends that differ."""
    found, books = play(scene), connection.vendor
    if there := play_there(__name__, scene):
        other = Found(**there)
        books = f"{books}, postgresql"
        sums = {name: number + getattr(other, name) for name, number in asdict(found).items()}
        found = Found(**{**sums, "creates": max(found.creates, other.creates)})
    return Outcome(
        ok=found.creates == 1 and not (found.wrong or found.dead_jobs or found.book_faults),
        figures={
            "books": books,
            "steps": found.steps,
            "kills": found.kills,
            "external_creates_max": found.creates,
            "wrong": found.wrong,
            "dead_jobs": found.dead_jobs,
            "book_faults": found.book_faults,
        },
    )


def play(scene: Scene) -> Found:
    """Play every story with every death, on the book of this process."""
    warm_up()
    in_child(open_shop)
    found, chance = Found(), random.Random(scene.seed)  # noqa: S311 - which deaths a quick run takes
    teller = Teller(scene.home, found)
    deaths: list[tuple[Death, dict[str, Any]]] = []
    for story, (_, acts, first) in STORIES.items():
        for act in range(first, len(acts)):
            steps, wanted = teller.tell(Death(story, act))
            found.steps += steps
            instants = range(1, steps + 1)
            chosen = sorted(chance.sample(instants, min(QUICK_KILLS, steps))) if scene.quick else instants
            deaths += [(Death(story, act, at), wanted) for at in chosen]
    for done, (death, wanted) in enumerate(deaths):
        scene.say(done, len(deaths), "deaths")
        _, end = teller.tell(death)
        if end != wanted:
            found.wrong += 1
            sys.stderr.write(f"{death}: {json.dumps(end)} instead of {json.dumps(wanted)}\n")
    scene.say(len(deaths), len(deaths), "deaths")
    found.book_faults, found.dead_jobs = in_child(_look)[1]
    return found


class Teller:
    """Tells one story after another, each of somebody else, in a time that only goes forward."""

    def __init__(self, home: Path, found: Found) -> None:
        self._home, self._found = home, found
        self._ahead = 0.0
        self._told = 0

    def tell(self, death: Death) -> tuple[int, dict[str, Any]]:
        """Play it in two processes: how many instants the deadly act had, and how all ended."""
        plan, acts, _ = STORIES[death.story]
        self._told += 1
        file, number = self._home / f"stripe-{self._told}.sqlite3", self._told

        def begin() -> int:
            points = KillPoints(death.at)
            dealings = Dealings(file, number, plan, self._clock(), points)
            live(dealings, acts, first=0, last=death.act, deadly=death.act)
            return points.count

        def end() -> tuple[dict[str, Any], int]:
            dealings = Dealings(file, number, plan, self._clock(), KillPoints())
            if death.at:
                go_on(dealings, acts, died_in=death.act)
            else:
                live(dealings, acts, first=death.act + 1, last=len(acts) - 1)
            with dealings.clock.rules():
                return dealings.end_state(), dealings.creates()

        self._ahead += APART_S
        lived, count = in_child(begin)
        self._found.kills += not lived
        self._ahead += APART_S
        _, (state, creates) = in_child(end)
        self._found.creates = max(self._found.creates, creates)
        file.unlink()
        return count or 0, state

    def _clock(self) -> Clock:
        clock = Clock()
        clock.ahead = self._ahead
        return clock


def _look() -> tuple[int, int]:
    """Faults of the book, and jobs that nobody will do."""
    return len(usage.check_book()), len(jobs.dead_jobs())
