"""What a customer is told while a key is being made at a relay: why it waits, and what happens when."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from samples.relays.faults import Fault
from tests.services.lines import customer
from tests.services.relay_shop import KINDS, Shop, sell, work
from tollkeeper.delivery import queries
from tollkeeper.flows import progress
from tollkeeper.kit import job_runner
from tollkeeper.kit.jobs import enqueue
from tollkeeper.kit.models import Job
from tollkeeper.sales import queries as sales
from tollkeeper.sales.models import OrderLine

pytestmark = pytest.mark.django_db


def told(line_id: int) -> progress.Progress:
    row = OrderLine.objects.select_related("order").get(pk=line_id)
    return progress.of(sales.get_order(row.order.customer_id, row.order.number))


def turn() -> str:
    Job.objects.filter(kind__in=KINDS, state="ready").update(run_at=timezone.now())
    context = job_runner.claim(KINDS)
    assert context is not None
    return job_runner.run(context)


def test_silence_is_said_with_the_next_try_and_the_day_of_the_money(shop: Shop) -> None:
    line = sell(customer())
    late = timezone.now() + dt.timedelta(minutes=30)
    enqueue("check_delivery", f"late:{line}", run_at=late, line_id=line)
    assert told(line).reason == ""
    shop.relay.faults.plan(Fault("*", "html", times=1))
    assert turn() == "ready"
    now = told(line)
    assert (now.reason, now.back_at) == ("silent", late)
    assert now.next_at is not None
    assert now.next_at > timezone.now()
    assert now.began_at is not None
    assert queries.failed_deliveries() == [], "silence is nobody's task yet"
    turn()
    work()
    done = told(line)
    assert (done.reason, done.next_at) == ("", None)
    assert done.prepared_at is not None


def test_what_was_not_kept_is_said_and_lies_with_an_operator_at_once(shop: Shop) -> None:
    shop.relay.faults.plan(Fault("create", "short_cap", times=99), Fault("update", "short_cap", times=99))
    line = sell(customer())
    assert turn() == "ready"
    assert told(line).reason == "not_kept"
    [row] = queries.failed_deliveries()
    assert (row.line_id, row.state, row.error) == (line, "running", "mismatch: cap")
    assert "held up" in [step.name for step in row.steps]
    while turn() != "dead":
        pass
    assert (told(line).reason, told(line).next_at) == ("failed", None)
    assert queries.failed_deliveries()[0].error == "mismatch: cap", "it says more than that it was given up"


def test_anything_else_is_stuck(shop: Shop) -> None:
    shop.relay.admin = "another"
    line = sell(customer())
    turn()
    assert told(line).reason == "stuck"
    assert queries.failed_deliveries()[0].error == "credential"
