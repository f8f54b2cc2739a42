"""Purchases whose events come twice, in any order, late, or never: does the shop still end in the truth?

Two stages. In the large one FakeStripe lives through random histories (cards declined, debits
that settle or fail, expiry, refunds in parts, disputes) and our own rules see its events
shuffled, duplicated and partly lost; a sweeper looks at the end. In the small one the same
happens to the whole stack: SDK, hook, inbox, jobs, book and ledger.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from samples.fakestripe.courier import Courier
from samples.fakestripe.engine import Engine
from samples.fakestripe.store import Store
from tollkeeper.core.rehearsal import Outcome, Scene
from tollkeeper.core.settlement import (
    Charge,
    Due,
    Settlement,
    absorb,
    absorb_dispute,
    absorb_refund,
    derive,
)
from tollkeeper.core.states import DISPUTE
from tollkeeper.drills import _whole_stack
from tollkeeper.drills._histories import live, truth
from tollkeeper.payments.providers._stripe_facts import dispute_facts, refund_facts, session_facts

SUMMARY = "Webhooks shuffled, duplicated and lost: every purchase ends in the truth, delivered once."
ORDER = "TK-DRILL-ORDER"
PRICE = 1000
START = 1_800_000_000
LOST = 0.05


@dataclass
class Rows:
    """Our side of one order: the rows, and what followed from them, by key."""

    charge: Charge = field(default_factory=lambda: Charge("redirected", PRICE, 0, "USD", False))
    refunds: dict[str, tuple[str, int]] = field(default_factory=dict)
    disputes: dict[str, tuple[str, int]] = field(default_factory=dict)
    jobs: set[str] = field(default_factory=set)
    delivered: int = 0

    @property
    def settlement(self) -> Settlement:
        """What the rows say."""
        due = Due(PRICE, "USD", False)
        return derive(due, [self.charge], self.refunds.values(), self.disputes.values())

    def look(self, engine: Engine, name: str) -> None:
        """The one path: fetch, absorb, derive, act by key."""
        told = session_facts(engine.show("session", name, "payment_intent.latest_charge", "subscription"))
        self.charge = absorb(self.charge, told, ORDER)
        if told.state == "succeeded":
            for row in engine.store.all("refund"):
                fact = refund_facts(row, "USD")
                before = self.refunds.get(fact.reference, ("submitted", 0))[0]
                self.refunds[fact.reference] = (absorb_refund(before, fact), fact.amount_minor)
            for row in engine.store.all("dispute"):
                claim = dispute_facts(row, "USD")
                before = self.disputes.get(claim.reference, (DISPUTE.initial, 0))[0]
                self.disputes[claim.reference] = (absorb_dispute(before, claim), claim.amount_minor)
        if self.settlement.fulfil and "fulfil:1" not in self.jobs:
            self.jobs.add("fulfil:1")
            self.delivered += 1


@dataclass
class Naive:
    """The same order in a shop that acts on each event, once per event id: for contrast."""

    state: str = "unpaid"
    delivered: int = 0
    refunded: int = 0
    seen: set[str] = field(default_factory=set)

    def take(self, event: dict[str, Any]) -> None:
        """Do what the event seems to say."""
        if event["id"] in self.seen:
            return
        self.seen.add(event["id"])
        kind, row = event["type"], event["data"]["object"]
        if kind in (
            "payment_intent.succeeded",
            "checkout.session.completed",
            "checkout.session.async_payment_succeeded",
        ):
            self.state, self.delivered = "paid", self.delivered + 1
        elif kind == "refund.created":
            self.refunded += row["amount"]
            self.state = "refunded" if self.refunded >= PRICE else "part_refunded"
        elif kind == "charge.dispute.created":
            self.state = "disputed"
        elif kind == "charge.dispute.closed":
            self.state = "charged_back" if row["status"] == "lost" else "paid"


def one_history(seed: int, lost: float = LOST, sweep: bool = True) -> tuple[bool, int, bool, int]:
    """Live through one history; answers (right at the end, delivered, naive right, naive delivered)."""
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    store, on_the_way = Store(), []

    def tell(event: dict[str, Any]) -> None:
        if chance.random() >= lost:
            copy = {**event, "data": {"object": dict(event["data"]["object"])}}
            on_the_way.extend([copy] * chance.choice((1, 1, 1, 2)))

    courier = Courier(store)
    courier.take = tell  # type: ignore[method-assign]
    engine = Engine(store, courier=courier, chance=chance, clock=lambda: START)
    price = {"currency": "usd", "unit_amount": PRICE, "product_data": {"name": "Pack"}}
    fields = {
        "mode": "payment",
        "line_items": [{"quantity": 1, "price_data": price}],
        "client_reference_id": ORDER,
        "success_url": "http://shop.invalid/ok",
    }
    name = engine.open_session(fields)["id"]
    rows, naive = Rows(), Naive()

    def arrive(event: dict[str, Any]) -> None:
        naive.take(event)
        rows.look(engine, name)

    for _ in range(chance.randint(1, 12)):
        live(engine, name, PRICE, chance)
        chance.shuffle(on_the_way)
        for _ in range(chance.randint(0, len(on_the_way))):
            arrive(on_the_way.pop())
    chance.shuffle(on_the_way)
    for event in on_the_way:
        arrive(event)
    if sweep:
        rows.look(engine, name)
    wanted = truth(engine, name, PRICE)
    return rows.settlement.money == wanted, rows.delivered, naive.state == wanted, naive.delivered


def run(scene: Scene) -> Outcome:
    """Play both stages; all that went wrong must be 0."""
    count = 2_000 if scene.quick else 20_000
    wrong = double = naive_wrong = naive_double = unswept = 0
    for number in range(count):
        seed = scene.seed * 1_000_003 + number
        right, delivered, naive_right, naive_delivered = one_history(seed)
        wrong += not right
        double += delivered > 1
        naive_wrong += not naive_right
        naive_double += naive_delivered > 1
        if number % 10 == 0:
            unswept += not one_history(seed, sweep=False)[0]
            scene.say(number, count, "histories")
    scene.say(count, count, "histories")
    whole = _whole_stack.purchases(scene, 25 if scene.quick else 250)
    return Outcome(
        ok=not (wrong or double or whole.wrong or whole.double or whole.book_faults),
        figures={
            "histories": count,
            "lost_percent": LOST * 100,
            "wrong_end_state": wrong + whole.wrong,
            "double_delivered": double + whole.double,
            "whole_stack_histories": whole.count,
            "whole_stack_events": whole.events,
            "book_faults": whole.book_faults,
            "without_sweeper_wrong_percent": round(1000 * unswept / count, 2),
            "act_on_each_event_wrong_percent": round(100 * naive_wrong / count, 2),
            "act_on_each_event_double_percent": round(100 * naive_double / count, 2),
        },
    )
