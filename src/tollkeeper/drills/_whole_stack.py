"""Purchases through everything: the SDK, the hook, the inbox, jobs, the book, the ledger."""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unittest import mock

from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from samples.fakestripe.client import InProcess
from samples.fakestripe.courier import Courier
from samples.fakestripe.engine import Engine
from samples.fakestripe.store import Store
from tollkeeper import flows
from tollkeeper.accounts import services as accounts
from tollkeeper.catalog import queries as catalog
from tollkeeper.catalog import services as catalog_verbs
from tollkeeper.config import environment
from tollkeeper.core.rehearsal import Scene
from tollkeeper.drills._histories import live, truth
from tollkeeper.flows import purchase
from tollkeeper.flows.events import catch_up_events
from tollkeeper.flows.reconcile import sweep_payments
from tollkeeper.kit import job_runner
from tollkeeper.kit.job_kinds import KINDS, SCHEDULES
from tollkeeper.payments.providers.stripe import StripeProvider
from tollkeeper.payments.registry import stand_in
from tollkeeper.sales import queries as sales
from tollkeeper.usage import queries as usage_queries
from tollkeeper.usage import services as usage

SECRET = "whsec_drill"  # noqa: S105 - of a stand-in
PLAN = "pack-10k"


@dataclass
class Whole:
    """What a run of the whole stack found."""

    count: int = 0
    events: int = 0
    wrong: int = 0
    double: int = 0
    book_faults: int = 0


class Clock:
    """The time of everybody, which can be moved on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def seconds(self) -> float:
        """Unix time."""
        return time.time() + self.ahead

    @contextmanager
    def rules(self) -> Iterator[None]:
        """Let Django's time be this one."""

        def now() -> dt.datetime:
            return dt.datetime.fromtimestamp(self.seconds(), dt.UTC)

        with mock.patch.object(timezone, "now", now):
            yield


def purchases(scene: Scene, count: int) -> Whole:
    """Play ``count`` histories in the scene's own book."""
    call_command("migrate", verbosity=0)
    call_command("migrate", "keystore", database="keystore", verbosity=0)
    catalog_verbs.load_shop(environment.repository() / "shops" / "twtapi")
    flows.register()
    found, clock = Whole(count), Clock()
    with clock.rules():
        for number in range(count):
            _one(random.Random(scene.seed * 7919 + number), number, clock, found)  # noqa: S311
            if number % 5 == 0:
                scene.say(number, count, "whole purchases")
    scene.say(count, count, "whole purchases")
    found.book_faults = len(list(usage.check_book()))
    return found


def _one(chance: random.Random, number: int, clock: Clock, found: Whole) -> None:
    client = Client()

    def post(body: bytes, signature: str) -> int:
        found.events += 1
        return client.post(
            "/hooks/stripe", body, content_type="application/json", headers={"Stripe-Signature": signature}
        ).status_code

    store = Store()
    courier = Courier(store, SECRET, post, chance, clock.seconds)
    courier.knobs.set({"duplicate": 0.25, "drop": 0.05, "reorder": 0.7, "fail": 0.1})
    engine = Engine(store, courier=courier, chance=chance, clock=clock.seconds)
    provider = StripeProvider("sk_test_drill", (SECRET,), http_client=InProcess(engine))
    with stand_in(provider):
        person = accounts.create_person(f"payer-{number}@drill.invalid", None)
        plan = catalog.get_plan(PLAN)
        order = purchase.start_order(accounts.ensure_customer(person), PLAN, plan.prices[0].id)
        purchase.begin_payment(order)
        (session,) = store.all("session")
        price = session["amount_total"]
        for _ in range(chance.randint(1, 9)):
            live(engine, session["id"], price, chance)
            clock.ahead += chance.choice((0, 1, 3))
            courier.deliver()
            if chance.random() < 0.5:
                _work()
        _calm_down(clock, engine)
    view = sales.find_order(order)
    wanted = truth(engine, session["id"], price)
    found.wrong += view is None or view.money != wanted or not _units_fit(view, wanted)
    found.double += view is not None and len(usage_queries.grants(view.customer_id)) > 1


def _units_fit(order: sales.OrderView, wanted: str) -> bool:
    """True if what the customer holds fits what was kept of the money."""
    (line,) = order.lines
    grant = usage_queries.find_grant(f"line:{line.line_id}:0")
    if grant is None:
        return wanted in ("unpaid", "processing", "disputed", "refunded", "charged_back")
    if wanted == "paid":
        return grant.remaining == grant.amount
    return wanted == "part_refunded" or grant.remaining == 0


def _calm_down(clock: Clock, engine: Engine) -> None:
    """Let everything arrive that will, then let the sweepers look for the rest."""
    for turn in range(30):
        clock.ahead += 40
        engine.bank.tick()
        engine.courier.deliver()
        if turn in (15, 22):
            clock.ahead += 1200
            sweep_payments(None)  # type: ignore[arg-type]
            catch_up_events(None)  # type: ignore[arg-type]
        if not _work() and turn > 22 and not engine.courier.waiting():
            return


def _work() -> int:
    """Run what is due, letters and schedules left aside; answers how many jobs ran."""
    kinds = [kind for kind in KINDS if not kind.startswith("mail_") and kind not in SCHEDULES]
    done = 0
    while (context := job_runner.claim(kinds)) is not None:
        job_runner.run(context)
        done += 1
    return done
