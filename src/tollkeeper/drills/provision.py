"""Keys made at relays while everything breaks: the line at any request, the relay at any step, the worker.

Each schedule sells a few keys, breaks what it likes, lets workers die in the middle of
requests, then lets calm return and the sweeper look. What must be left: one working key
for each sale, at each relay, and nothing shown before it was delivered.
"""

from __future__ import annotations

import datetime as dt
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from django.utils import timezone

from samples.relays.faults import DEEDS, Fault
from samples.relays.litellm import LiteLLM
from samples.relays.newapi import NewAPI
from samples.relays.openrouter import OpenRouter
from samples.relays.own import OwnSystem
from samples.relays.relay import Relay
from tollkeeper import flows
from tollkeeper.accounts import services as accounts
from tollkeeper.core.rehearsal import Outcome, Scene
from tollkeeper.core.terms import GrantTerms, KeyTerms, LineTerms, TargetTerms
from tollkeeper.delivery import queries, registry
from tollkeeper.delivery import services as delivery
from tollkeeper.delivery.provisioners import Door, Provisioner, litellm, newapi, openrouter, webhook
from tollkeeper.drills._in_process import Died, Line
from tollkeeper.drills._shop import open_shop
from tollkeeper.flows import relaying
from tollkeeper.kit import job_runner
from tollkeeper.kit.jobs import Context, enqueue, job

SUMMARY = "Keys at relays, the line cut at every step and workers killed: one working key for each sale."
USD = 1_000_000
TERMS = KeyTerms("plus", unit="credits", models=("tern-1",))
RELAYS: dict[str, tuple[Callable[[], Relay], Callable[[Door], Provisioner], dict[str, str]]] = {
    "litellm": (lambda: LiteLLM("adm"), litellm.build, {}),
    "newapi": (lambda: NewAPI("adm"), newapi.build, {"user": "7"}),
    "oneapi": (lambda: NewAPI("adm", one=True), newapi.build, {"dialect": "oneapi"}),
    "openrouter": (lambda: OpenRouter("adm"), openrouter.build, {}),
    "webhook": (lambda: OwnSystem("adm"), webhook.build, {}),
}
OPS = ("create", "read", "search", "list", "secret", "update", "suspend", "resume", "delete", "status", "*")
BREAKS = sorted(set(DEEDS) - {"delay", "drop_restrictions", "short_cap"})
KINDS = ["drill_provide", "align_key", "remake_key", "sync_key"]


@dataclass
class Found:
    """What all schedules together left."""

    schedules: int = 0
    breaks: int = 0
    deaths: int = 0
    sold: int = 0
    requests: int = 0
    lost: int = 0
    double: int = 0
    orphans: int = 0
    shown_undelivered: int = 0
    wrong_terms: int = 0
    stuck: int = 0


@dataclass
class Clock:
    """Django's time, moved on where a schedule would have to wait."""

    ahead: dt.timedelta = field(default_factory=dt.timedelta)

    def now(self) -> dt.datetime:
        """The time of everybody here."""
        return dt.datetime.now(dt.UTC) + self.ahead


@job("drill_provide", purpose="delivery", attempts=60, cap_s=0.01)
def drill_provide(context: Context, line_id: int, customer_id: int, target: str) -> None:
    """The delivery of one line, as fulfilment does it, without an order."""
    terms = LineTerms("plus", "relay", TERMS, grants=(GrantTerms("credits", 5 * USD),), target=target)
    delivery_id = context.step("reserve", _reserve, line_id, customer_id)
    relaying.provide(context, delivery_id, terms, 1)
    context.step("finish", delivery.finish_delivery, delivery_id)


def _reserve(line_id: int, customer_id: int) -> int:
    return delivery.open_delivery(line_id, customer_id=customer_id, provisioner="relay", terms=TERMS)


def run(scene: Scene) -> Outcome:
    """Play the schedules, as many at each relay."""
    open_shop()
    flows.register()
    logging.getLogger("tollkeeper").setLevel(logging.CRITICAL)  # what breaks here is meant to
    found, clock = Found(), Clock()
    count = 40 if scene.quick else 1000
    names = sorted(RELAYS)
    buyers = [
        accounts.ensure_customer(accounts.create_person(f"buyer-{n}@drill.invalid", None)) for n in range(3)
    ]
    with mock.patch.object(timezone, "now", clock.now):
        for number in range(count):
            chance = random.Random(scene.seed * 104_729 + number)  # noqa: S311 - repeatable on purpose
            _schedule(chance, number, names[number % len(names)], buyers, clock, found)
            scene.say(number + 1, count, "schedules")
    figures = {
        "schedules": found.schedules,
        "keys_sold": found.sold,
        "requests": found.requests,
        "breaks": found.breaks,
        "worker_deaths": found.deaths,
        "lost_keys": found.lost,
        "double_keys": found.double,
        "orphans_left": found.orphans,
        "shown_undelivered": found.shown_undelivered,
        "wrong_terms": found.wrong_terms,
        "stuck": found.stuck,
    }
    bad = ("lost_keys", "double_keys", "orphans_left", "shown_undelivered", "wrong_terms", "stuck")
    return Outcome(all(not figures[name] for name in bad), figures)


def _schedule(
    chance: random.Random, number: int, kind: str, buyers: list[int], clock: Clock, found: Found
) -> None:
    make, build, options = RELAYS[kind]
    relay = make()
    relay.spend_delay_s = 0.0
    line = Line(relay.app)
    name = f"{kind}-{number}"
    address = "http://relay.drill/keys" if kind == "webhook" else "http://relay.drill"
    target = TargetTerms(name, kind, address, "X", resale_allowed=True, options=options)
    door = Door(lambda: timezone.now(), target, "adm", line)
    found.schedules += 1
    with registry.stand_in(name, build(door)):
        lines = []
        for place, buyer in enumerate(buyers[: chance.randint(1, 3)]):
            line_id = number * 10 + place + 1
            lines.append((line_id, buyer))
            key = f"drill:{line_id}"
            enqueue("drill_provide", key, line_id=line_id, customer_id=buyer, target=name)
            _break(chance, relay, line, found)
            _work(clock, line, found, chance)
            found.shown_undelivered += _shown_too_early(line_id, buyer)
        relay.faults.clear()
        line.dies_at = -1
        _work(clock, line, found, None)
        relaying.sweep(name, now=clock.now() + dt.timedelta(hours=2))
        _work(clock, line, found, None)
        _judge(relay, lines, found)
    found.requests += line.requests


def _break(chance: random.Random, relay: Relay, line: Line, found: Found) -> None:
    for _ in range(chance.randint(0, 4)):
        found.breaks += 1
        wrong = Fault(
            chance.choice(OPS), chance.choice(BREAKS), skip=chance.randrange(4), times=chance.randint(1, 2)
        )
        relay.faults.plan(wrong)
    if chance.random() < 0.7:
        line.dies_at, line.before = chance.randint(1, 14), chance.random() < 0.5


def _work(clock: Clock, line: Line, found: Found, chance: random.Random | None) -> None:
    """Do all jobs; a worker that dies is followed by another when its lease is over."""
    for _ in range(200):
        context = job_runner.claim(KINDS)
        if context is None:
            if clock.ahead > dt.timedelta(days=3650):
                break
            clock.ahead += dt.timedelta(seconds=3)
            context = job_runner.claim(KINDS)
            if context is None:
                return
        try:
            job_runner.run(context)
        except Died:
            found.deaths += 1
            clock.ahead += dt.timedelta(seconds=10)
            if chance is not None and chance.random() < 0.4:
                line.dies_at = chance.randint(1, 9)
    found.stuck += 1


def _shown_too_early(line_id: int, buyer: int) -> int:
    row = queries.find_delivery(line_id)
    if row is None or row.state == "delivered":
        return 0
    try:
        delivery.reveal(row.id, buyer)
    except delivery.AlreadyRevealed:
        return 0
    return 1


def _judge(relay: Relay, lines: list[tuple[int, int]], found: Found) -> None:
    """Compare what is there with what was sold; every secret is shown and tried."""
    there: dict[str, list[Any]] = {}
    for key in relay.keys.values():
        there.setdefault(key.name, []).append(key)
    for line_id, buyer in lines:
        found.sold += 1
        row = queries.find_delivery(line_id)
        mine = [keys for label, keys in there.items() if label.startswith(f"{queries.mark()}{line_id}-")]
        keys = [key for group in mine for key in group]
        found.double += max(0, len(keys) - 1)
        works = False
        if row is not None and row.state == "delivered" and row.revealable:
            secret = delivery.reveal(row.id, buyer).text.removeprefix("sk-")
            good = [key for key in keys if key.secret.removeprefix("sk-") == secret]
            works = bool(good) and not good[0].blocked and not good[0].extra.get("bad")
            found.wrong_terms += bool(good) and abs((good[0].cap or 0) - 5 * USD) > 2
        found.lost += not works
    known = tuple(f"{queries.mark()}{line_id}-" for line_id, _ in lines)
    found.orphans += sum(len(keys) for label, keys in there.items() if not label.startswith(known))
