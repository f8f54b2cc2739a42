"""One customer's dealings with the shop, act by act, so that a worker can be killed in any of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.test import Client
from django.urls import get_resolver

from samples.fakestripe.client import InProcess
from samples.fakestripe.courier import Courier
from samples.fakestripe.engine import Engine
from samples.fakestripe.schema import BadRequest, validate
from samples.fakestripe.store import Store
from tollkeeper import flows
from tollkeeper.accounts import services as accounts
from tollkeeper.catalog import queries as catalog
from tollkeeper.delivery import queries as delivery
from tollkeeper.drills._kill_points import KillPoints
from tollkeeper.drills._whole_stack import Clock
from tollkeeper.flows import purchase, refund
from tollkeeper.flows.refund import CannotRefund
from tollkeeper.kit import job_runner
from tollkeeper.kit.job_kinds import KINDS, SCHEDULES
from tollkeeper.payments import queries as payments
from tollkeeper.payments.providers.stripe import StripeProvider
from tollkeeper.payments.registry import stand_in
from tollkeeper.sales import queries as sales
from tollkeeper.usage import queries as usage

SECRET = "whsec_drill"  # noqa: S105 - of a stand-in
DAY = 86_400
IDLE_ROUNDS = 4
ROUND_S = 25
"""Longer than a dead worker's lease and than the pause before a job's second try."""


class Line(InProcess):
    """The SDK's way to the stand-in; each request passes two instants."""

    def __init__(self, engine: Engine, points: KillPoints) -> None:
        super().__init__(engine)
        self.points = points

    def request(self, *args: Any, **kwargs: Any) -> Any:
        """See the SDK."""
        self.points.pass_by()
        answer = super().request(*args, **kwargs)
        self.points.pass_by()
        return answer


def warm_up() -> None:
    """Load here what every forked process would load for itself."""
    flows.register()
    _ = get_resolver().url_patterns
    sessions = "/v1/checkout/sessions"
    for method, path in (
        ("post", sessions),
        ("get", sessions),
        ("get", sessions + "/{}"),
        ("post", "/v1/refunds"),
    ):
        try:
            validate(method, path, {})
        except BadRequest:
            continue


@dataclass(frozen=True, slots=True)
class Act:
    """Something that is done by our processes. What happens before it happens elsewhere."""

    before: Callable[[Dealings], None]
    ours: Callable[[Dealings], None]


class Dealings:
    """Stripe's side in a file of its own, so that it outlives whoever talks to it."""

    def __init__(self, file: Path, number: int, plan: str, clock: Clock, points: KillPoints) -> None:
        chance = random.Random(f"{file.name}:{clock.ahead}")  # noqa: S311
        store = Store(file)
        self.clock, self.points, self.plan = clock, points, plan
        self.courier = Courier(store, SECRET, self._post, chance, clock.seconds)
        self.engine = Engine(store, courier=self.courier, chance=chance, clock=clock.seconds)
        self.client = Client()
        self.provider = StripeProvider("sk_test_drill", (SECRET,), http_client=Line(self.engine, points))
        self.person = f"payer-{number}@drill.invalid"
        self.number = (store.get("drill", "order") or {"number": ""})["number"]

    def _post(self, body: bytes, signature: str) -> int:
        return self.client.post(
            "/hooks/stripe", body, content_type="application/json", headers={"Stripe-Signature": signature}
        ).status_code

    # ---- what others do

    def order(self) -> None:
        """Somebody orders."""
        customer = accounts.ensure_customer(accounts.create_person(self.person, None))
        price = catalog.get_plan(self.plan).prices[0].id
        self.number = purchase.start_order(customer, self.plan, price)
        self.engine.store.put("drill", "order", {"number": self.number})

    def pay(self, card: str = "ok") -> None:
        """The payer pays on Stripe's page."""
        (session,) = self.engine.store.all("session")
        self.engine.bank.pay(session["id"], card)

    def month(self) -> None:
        """A month goes by at Stripe, which collects again."""
        self.engine.bank.advance(31 * DAY)

    def contest(self) -> None:
        """The payer's bank takes the money back."""
        self.engine.bank.advance(60)

    def decide(self, verdict: str) -> None:
        """The bank decides on the contest."""
        (row,) = self.engine.store.all("dispute")
        self.engine.bank.decide(row["id"], verdict)

    # ---- what our processes do

    def begin(self) -> None:
        """The web's part: from the order to Stripe's page."""
        purchase.begin_payment(self.number)

    def take_in(self) -> None:
        """The hook's and the worker's part: all events, and all work that they make."""
        idle = 0
        while idle < IDLE_ROUNDS:
            moved = self.courier.deliver() + _work()
            idle = 0 if moved or self.courier.waiting() else idle + 1
            self.clock.ahead += ROUND_S

    def give_back(self) -> None:
        """An operator refunds all, and the worker sees to it."""
        try:
            refund.request_refund(self.number)
        except CannotRefund as error:
            if error.code != "nothing_left":
                raise
        self.take_in()

    # ---- what is true in the end

    def end_state(self) -> dict[str, Any]:
        """What must be the same whoever was killed: no instants, no ids."""
        order = sales.find_order(self.number)
        assert order is not None
        orders = sales.list_orders(order.customer_id)
        return {
            "orders": sorted(
                [o.kind, o.lifecycle, o.money, o.review, o.captured_minor, o.refunded_minor] for o in orders
            ),
            "deliveries": sorted([d.plan, d.state, d.error] for d in delivery.deliveries(order.customer_id)),
            "keys": sorted([k.state, k.reason] for k in delivery.list_keys(order.customer_id)),
            "grants": sorted(
                [g.unit, g.amount, g.remaining, g.clawed, g.state] for g in usage.grants(order.customer_id)
            ),
            "owed": sum(b.owed for b in usage.balances(order.customer_id)),
            "papers": sorted(str(p.kind) for p in payments.list_documents(order.customer_id)),
            "refunds": sorted(
                [r.state, r.amount_minor] for o in orders for r in payments.list_refunds(o.order_id)
            ),
            "disputes": sorted([d.state] for o in orders for d in payments.list_disputes(o.order_id)),
        }

    def creates(self) -> int:
        """The most that Stripe has of anything it should have once."""
        store = self.engine.store
        counts = Counter(f"session {row['client_reference_id']}" for row in store.all("session"))
        counts.update(f"refund {row['payment_intent']}" for row in store.all("refund"))
        counts.update("customer" for _ in store.all("customer"))
        counts.update("subscription" for _ in store.all("subscription"))
        return max(counts.values(), default=0)


def _work() -> int:
    """All that is due, letters and schedules left aside; answers how many jobs ran."""
    kinds = [kind for kind in KINDS if not kind.startswith("mail_") and kind not in SCHEDULES]
    done = 0
    while (context := job_runner.claim(kinds)) is not None:
        job_runner.run(context)
        done += 1
    return done


def live(dealings: Dealings, acts: tuple[Act, ...], *, first: int, last: int, deadly: int = -1) -> None:
    """Play acts ``first`` to ``last``; instants count in act ``deadly``."""
    with dealings.clock.rules(), stand_in(dealings.provider):
        for number in range(first, last + 1):
            acts[number].before(dealings)
            if number == deadly:
                with dealings.points.watching():
                    acts[number].ours(dealings)
            else:
                acts[number].ours(dealings)


def go_on(dealings: Dealings, acts: tuple[Act, ...], *, died_in: int) -> None:
    """Another process takes over: what died is done again, the rest follows."""
    with dealings.clock.rules(), stand_in(dealings.provider):
        acts[died_in].ours(dealings)
    live(dealings, acts, first=died_in + 1, last=len(acts) - 1)


def _nothing(dealings: Dealings) -> None:
    """Nobody does anything."""


BUY = (Act(Dealings.order, Dealings.begin), Act(Dealings.pay, Dealings.take_in))
STORIES: dict[str, tuple[str, tuple[Act, ...], int]] = {
    "purchase": ("pack-10k", BUY, 0),
    "renewal": ("pro", (*BUY, Act(Dealings.month, Dealings.take_in)), 2),
    "refund": ("pack-10k", (*BUY, Act(_nothing, Dealings.give_back)), 2),
    "dispute_lost": (
        "pack-10k",
        (
            BUY[0],
            Act(lambda d: d.pay("dispute"), Dealings.take_in),
            Act(Dealings.contest, Dealings.take_in),
            Act(lambda d: d.decide("lost"), Dealings.take_in),
        ),
        2,
    ),
    "dispute_won": (
        "pack-10k",
        (
            BUY[0],
            Act(lambda d: d.pay("dispute"), Dealings.take_in),
            Act(Dealings.contest, Dealings.take_in),
            Act(lambda d: d.decide("won"), Dealings.take_in),
        ),
        3,
    ),
}
"""Name → plan, acts, and the first act in which somebody is killed."""
