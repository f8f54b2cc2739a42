"""A shop with a till: the real SDK over FakeStripe in process, jobs run by hand."""

from __future__ import annotations

import datetime as dt
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.test import Client
from django.utils import timezone

from samples.fakestripe.client import InProcess
from samples.fakestripe.courier import Courier
from samples.fakestripe.engine import Engine
from samples.fakestripe.store import Store
from tollkeeper import flows
from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.models import User
from tollkeeper.catalog import services as catalog
from tollkeeper.config import environment
from tollkeeper.core.ledger import Leg
from tollkeeper.core.terms import MICRO
from tollkeeper.flows import purchase
from tollkeeper.flows.events import catch_up_events
from tollkeeper.flows.reconcile import reconcile
from tollkeeper.flows.renewal import renew_plans
from tollkeeper.kit import job_runner
from tollkeeper.kit.job_kinds import KINDS
from tollkeeper.kit.models import Job
from tollkeeper.payments.models import Attempt
from tollkeeper.payments.providers.stripe import StripeProvider
from tollkeeper.payments.registry import stand_in
from tollkeeper.sales.models import Order, Subscription
from tollkeeper.usage import queries as usage
from tollkeeper.usage.booking import Posting, post
from tollkeeper.usage.models import Grant

SECRET = "whsec_test"
DELIVERY = {"fulfil_line", "mail_delivery", "mail_receipt"}
"""Kinds of jobs that are other rooms' business: counted here, not run."""


class Till:
    """Everything a purchase needs. ``engine`` is Stripe, ``client`` the shop's own web face."""

    def __init__(self, folder: Path, seed: int = 1) -> None:
        self.folder = folder
        self.chance = random.Random(seed)
        store = Store()
        self.client = Client()
        self.courier = Courier(store, SECRET, self._post, self.chance)
        self.engine = Engine(store, courier=self.courier, chance=self.chance)
        self.provider = StripeProvider("sk_test_till", (SECRET,), http_client=InProcess(self.engine))
        flows.register()

    def reload(self) -> None:
        """Put the shop's files into effect again, after a test has changed them."""
        catalog.load_shop(self.folder)

    @staticmethod
    def raw(table: str) -> list[tuple[Any, ...]]:
        """A table as it stands on the disk."""
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table}")
            return list(cursor.fetchall())

    def _post(self, body: bytes, signature: str) -> int:
        return self.client.post(
            "/hooks/stripe", body, content_type="application/json", headers={"Stripe-Signature": signature}
        ).status_code

    def customer(self) -> int:
        """A new customer without an address."""
        return accounts.ensure_customer(User.objects.create())

    def order(self, customer_id: int, plan: str = "pack-10k") -> str:
        """An order for a plan at its first price."""
        return purchase.start_order(customer_id, plan, price_of(plan))

    def session(self, number: str) -> str:
        """The newest Checkout Session of an order."""
        found = [s["id"] for s in self.engine.store.all("session") if s["client_reference_id"] == number]
        return str(found[-1])

    def pay(self, number: str, outcome: str = "ok") -> str:
        """Go to the page and pay there."""
        purchase.begin_payment(number)
        return self.engine.bank.pay(self.session(number), outcome)

    def deliver(self) -> None:
        """Post all events that are on their way, then do the work they made."""
        for _ in range(40):
            for parcel in self.courier.waiting():
                self.engine.store.put("parcel", parcel["name"], {**parcel, "at": 0})
            self.courier.deliver()
            if not self.courier.waiting():
                break
        self.work()

    def work(self, also: frozenset[str] | set[str] = frozenset()) -> list[str]:
        """Run every job of ours that is due; answers the kinds in their order."""
        return self.run(also)

    @staticmethod
    def run(also: frozenset[str] | set[str] = frozenset()) -> list[str]:
        """The same without a till."""
        kinds = [kind for kind in KINDS if kind not in DELIVERY or kind in also]
        done = []
        while (context := job_runner.claim(kinds)) is not None:
            state = job_runner.run(context)
            done.append(f"{context.kind}:{state}")
        return done

    def hand_over(self) -> None:
        """Deliver what was bought, for real."""
        self.work(also={"fulfil_line"})

    def bought(self, customer_id: int, plan: str = "pack-10k") -> str:
        """Order, pay and receive a plan; answers the order's number."""
        number = self.order(customer_id, plan)
        self.pay(number)
        self.deliver()
        self.hand_over()
        return number

    def payment(self, number: str) -> str:
        """Stripe's id of the payment of an order."""
        return str(Attempt.objects.get(order__number=number, state="succeeded").payment)

    @staticmethod
    def wake() -> None:
        """Let jobs that wait for their next try be due now; what waits for its day goes on waiting."""
        Job.objects.filter(state="ready").exclude(kind="check_delivery").update(run_at=timezone.now())

    @staticmethod
    def expire(number: str, late: str = "fulfil") -> None:
        """End an order as if its time were up, with its money still on the way."""
        Order.objects.filter(number=number).update(lifecycle="expired", money="unpaid", late=late)

    @staticmethod
    def ask(number: str) -> None:
        """Look at an order, and do the work that follows."""
        order = Order.objects.get(number=number)
        reconcile(order.pk)
        Till.run()

    def catch_up(self) -> None:
        """Run the hourly look for events that never arrived."""
        catch_up_events(None)  # type: ignore[arg-type]
        self.work()

    def renew(self) -> None:
        """Run the look for periods that are over."""
        renew_plans(None)  # type: ignore[arg-type]
        self.work()

    @staticmethod
    def age_plan(customer_id: int, days: float) -> None:
        """Move a subscription into the past."""
        ago = dt.timedelta(days=days)
        for row in Subscription.objects.filter(customer_id=customer_id):
            row.anchor_at -= ago
            row.off_ends_at = row.off_ends_at and row.off_ends_at - ago
            row.save()
            row.periods.update(starts_at=F("starts_at") - ago, ends_at=F("ends_at") - ago)
        Job.objects.filter(kind="renew_own").delete()

    def second_session(self, number: str) -> None:
        """A second page for the same order, as two shops of one operator might make it."""
        Attempt.objects.filter(order__number=number).update(state="failed")
        Order.objects.filter(number=number).update(money="unpaid")
        purchase.begin_payment(number)

    @staticmethod
    def spend(customer_id: int, units: int) -> None:
        """Use up units, as if a gate had leased and settled them."""
        grant = Grant.objects.filter(customer_id=customer_id, remaining__gt=0).earliest("pk")
        legs = (Leg(f"grant:{grant.pk}", -units * MICRO), Leg("used", units * MICRO))
        post(
            [Posting((customer_id, grant.unit), f"test:{grant.pk}:{grant.remaining}", "use", legs, "")],
            timezone.now(),
        )

    @staticmethod
    def spendable(customer_id: int) -> int:
        """Units that a customer can spend now, whole ones."""
        return sum(row.spendable for row in usage.balances(customer_id)) // MICRO

    @staticmethod
    def jobs(kind: str) -> int:
        """How many jobs of a kind there are."""
        return Job.objects.filter(kind=kind).count()

    def shift(self, number: str, ago: dt.timedelta) -> None:
        """Make an order and its attempts older than they are."""
        order = Order.objects.get(number=number)
        order.created_at -= ago
        if order.expires_at:
            order.expires_at -= ago
        order.save()
        for attempt in Attempt.objects.filter(order=order):
            attempt.created_at -= ago
            attempt.checked_at = None
            attempt.save()


def price_of(plan: str) -> str:
    """The id of a plan's first price."""
    from tollkeeper.catalog import queries  # noqa: PLC0415

    return queries.get_plan(plan).prices[0].id


def truths(till: Till) -> dict[str, Any]:
    """Stripe's own books, for comparing."""
    return {
        kind: list(till.engine.store.all(kind)) for kind in ("session", "refund", "dispute", "subscription")
    }


@contextmanager
def open_till(folder: Path, seed: int = 1) -> Iterator[Till]:
    """A till in a loaded TwtAPI shop."""
    shop = folder / "twtapi"
    if not shop.exists():
        shutil.copytree(environment.repository() / "shops" / "twtapi", shop)
    catalog.load_shop(shop)
    till = Till(shop, seed)
    with stand_in(till.provider):
        yield till


def now() -> dt.datetime:
    """The present."""
    return timezone.now()


__all__ = ["SECRET", "Till", "now", "open_till", "price_of", "settings", "truths"]
