"""What an order costs a worker, with a thousand orders in the book and with very many.

The worker's part is everything after the payer paid: events into the inbox, the look at
Stripe, the order, receipt, key and units. Stripe is FakeStripe in this process; its own
time is taken off. CPU time is the figure, as wall time swings with whatever else runs;
and as CPU time swings with it too (caches, clock, the neighbour's hypervisor), each look
is paired with a yardstick, and flat is judged in yardsticks.
Also on PostgreSQL where TOLLKEEPER_DRILL_DATABASE_URL names an empty database.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from django.test import Client
from django.utils import timezone

from bench import _many_orders
from samples.fakestripe.client import InProcess
from samples.fakestripe.courier import Courier
from samples.fakestripe.engine import Engine
from samples.fakestripe.store import Store
from tollkeeper import flows
from tollkeeper.accounts import services as accounts
from tollkeeper.catalog import queries as catalog
from tollkeeper.core.rehearsal import Figure, Outcome, Scene
from tollkeeper.drills._second_book import play_there
from tollkeeper.drills._shop import open_shop
from tollkeeper.flows import purchase
from tollkeeper.flows.reconcile import reconcile
from tollkeeper.kit import job_runner
from tollkeeper.kit.job_kinds import KINDS, SCHEDULES
from tollkeeper.payments import queries as payments
from tollkeeper.payments.providers.stripe import StripeProvider
from tollkeeper.payments.registry import stand_in
from tollkeeper.sales import queries as sales

SUMMARY = "Orders per second and worker, and the cost of a look at an order in a small and in a large book."
SECRET = "whsec_bench"
PLAN = "pack-10k"
FEW = 1_000
MANY, MANY_QUICK = 1_000_000, 10_000
FLAT = 1.5
"""A look in the large book may cost this many times one in the small book, both in yardsticks."""
_YARD = {f"field {number}": [number, str(number), {"deep": [number] * 4}] for number in range(400)}


class Stand:
    """A shop with a till; ``stripe_s`` is the CPU time of the stand-in."""

    def __init__(self) -> None:
        store = Store()
        self.client, self.serial, self.stripe_s = Client(), 0, 0.0
        self.courier = Courier(store, SECRET, self._post)
        self.engine = Engine(store, courier=self.courier)
        line = InProcess(self.engine)
        asked = line.request

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.process_time()
            try:
                return asked(*args, **kwargs)
            finally:
                self.stripe_s += time.process_time() - began

        line.request = timed  # type: ignore[method-assign]
        self.provider = StripeProvider("sk_test_bench", (SECRET,), http_client=line)

    def _post(self, body: bytes, signature: str) -> int:
        return self.client.post(
            "/hooks/stripe", body, content_type="application/json", headers={"Stripe-Signature": signature}
        ).status_code

    def buy(self) -> int:
        """Somebody orders and pays; the id of the order. Nothing of ours has heard of the money yet."""
        self.serial += 1
        customer = accounts.ensure_customer(
            accounts.create_person(f"payer-{self.serial}@bench.invalid", None)
        )
        number = purchase.start_order(customer, PLAN, catalog.get_plan(PLAN).prices[0].id)
        purchase.begin_payment(number)
        session = next(s for s in self.engine.store.all("session") if s["client_reference_id"] == number)
        self.engine.bank.pay(session["id"], "ok")
        order = sales.find_order(number)
        assert order is not None
        return order.order_id

    def take_in(self) -> None:
        """All that the hook and the worker do about it."""
        while self.courier.waiting():
            self.courier.deliver()
        kinds = [kind for kind in KINDS if not kind.startswith("mail_") and kind not in SCHEDULES]
        while (context := job_runner.claim(kinds)) is not None:
            job_runner.run(context)

    def cost_s(self, work: Callable[[], object]) -> float:
        """CPU seconds of ``work`` without the stand-in's."""
        began, before = time.process_time(), self.stripe_s
        work()
        return time.process_time() - began - (self.stripe_s - before)


def run(scene: Scene) -> Outcome:
    """Figures of this book, and with ``pg_`` before them those of PostgreSQL, if there is one."""
    figures = play(scene)
    ok = _flat(figures)
    if other := play_there(__name__, scene):
        ok = ok and _flat(other)
        figures |= {f"pg_{name}": value for name, value in other.items()}
    return Outcome(ok, figures)


def _flat(figures: dict[str, Figure]) -> bool:
    return all(float(figures[name] or 0) <= FLAT for name in ("reconcile_growth", "sweep_growth"))


def _yardstick() -> None:
    """Work of a few milliseconds that no book can change."""
    for _ in range(4):
        json.loads(json.dumps(_YARD))


def play(scene: Scene) -> dict[str, Figure]:
    """Measure in the book of this process."""
    many, orders = (MANY_QUICK, 10) if scene.quick else (MANY, 200)
    open_shop()
    flows.register()
    stand = Stand()
    figures: dict[str, Figure] = {"orders_few": FEW, "orders_many": many}
    with stand_in(stand.provider):
        stand.buy()
        stand.take_in()
        already = 0
        for step, (name, goal) in enumerate((("1k", FEW), ("many", many))):
            scene.say(step, 2, "books")
            _many_orders.fill(already, goal)
            already = goal - 1
            figures |= {f"{key}_{name}": value for key, value in _one_book(stand, orders).items()}
    scene.say(2, 2, "books")
    for name in ("reconcile", "sweep"):
        few_, many_ = (float(figures.pop(f"{name}_yards_{step}") or 0) for step in ("1k", "many"))
        figures[f"{name}_growth"] = round(many_ / few_, 2)
    return figures


def _one_book(stand: Stand, orders: int) -> dict[str, Figure]:
    for _ in range(2):  # caches of whatever kind are warm
        stand.buy()
        stand.take_in()
    made = [stand.buy() for _ in range(orders)]
    began = time.monotonic()
    worker_s = stand.cost_s(stand.take_in)
    wall_s = time.monotonic() - began
    looks, look_yards = _paired(stand, [lambda n=number: reconcile(n) for number in made])  # type: ignore[misc]
    sweeps, sweep_yards = _paired(stand, [_sweep] * 40)
    return {
        "orders_per_s": round(orders / worker_s, 1),
        "orders_per_wall_s": round(orders / wall_s, 1),
        "reconcile_ms": round(looks * 1e3, 2),
        "sweep_ms": round(sweeps * 1e3, 2),
        "reconcile_yards": look_yards,
        "sweep_yards": sweep_yards,
    }


def _paired(stand: Stand, works: list[Callable[[], object]]) -> tuple[float, float]:
    """Medians of the CPU seconds of each work, and of how many yardsticks beside it that was."""
    costs, yards = [], []
    for work in works:
        before = stand.cost_s(_yardstick)
        costs.append(stand.cost_s(work))
        yards.append(costs[-1] / ((before + stand.cost_s(_yardstick)) / 2))
    return statistics.median(costs), statistics.median(yards)


def _sweep() -> None:
    """What every worker asks the book all the time."""
    now = timezone.now()
    payments.stale_orders(now)
    payments.providers_in_use()
    payments.unfinished_events(now)
    sales.expiring_orders(now)
    job_runner.claim(["reconcile_order"])
