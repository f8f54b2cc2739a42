"""Paid and not handed over in time: the money goes back, and nobody has both."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.services.money import Till, now
from tollkeeper.delivery import queries as delivery
from tollkeeper.flows import fulfilment, refund, undelivered
from tollkeeper.kit import queries as jobs
from tollkeeper.kit import services as job_verbs
from tollkeeper.kit.models import Job
from tollkeeper.sales import queries as sales
from tollkeeper.usage.services import check_book

HOUR = dt.timedelta(hours=1)


def paid(till: Till) -> tuple[int, sales.OrderView]:
    customer = till.customer()
    number = till.order(customer)
    till.pay(number)
    till.deliver()
    return customer, order_of(number)


def order_of(number: str) -> sales.OrderView:
    found = sales.find_order(number)
    assert found is not None
    return found


def time_is_up(till: Till) -> list[str]:
    Job.objects.filter(kind="check_delivery").update(run_at=now())
    done = till.work()
    till.deliver()
    return done


def test_the_look_waits_for_the_plans_time(till: Till) -> None:
    _, order = paid(till)
    (job,) = Job.objects.filter(kind="check_delivery")
    assert (job.run_at - job.created_at).total_seconds() == pytest.approx(
        order.lines[0].terms.deliver_within_s, abs=2
    )


def test_what_was_delivered_is_kept(till: Till) -> None:
    customer, order = paid(till)
    till.hand_over()
    time_is_up(till)
    assert order_of(order.number).money == "paid"
    assert till.spendable(customer) == 10_000


def no_more_chances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undelivered, "LAST_CHANCE", dt.timedelta(0))


def test_after_an_outage_the_hand_over_that_nobody_tried_goes_first(till: Till) -> None:
    """No worker ran until the time was up: both are due, in either order."""
    customer, order = paid(till)
    assert "check_delivery:ready" in time_is_up(till)
    assert order_of(order.number).money == "paid"
    till.hand_over()
    assert till.spendable(customer) == 10_000
    Job.objects.filter(kind="check_delivery").update(run_at=now())
    assert "check_delivery:done" in till.work()
    assert order_of(order.number).money == "paid"
    assert order_of(order.number).status == "delivered"
    assert till.jobs("mail_undelivered") == 0


def test_one_that_was_tried_in_its_time_is_not_waited_for(till: Till) -> None:
    _, order = paid(till)
    Job.objects.filter(kind="fulfil_line").update(attempts=undelivered.TRIES, run_at=now() + HOUR)
    time_is_up(till)
    till.wake()
    till.deliver()
    assert order_of(order.number).money == "refunded"


def test_a_hand_over_that_never_began_is_paid_back(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    no_more_chances(monkeypatch)
    customer, order = paid(till)
    time_is_up(till)
    till.wake()
    till.deliver()
    after = order_of(order.number)
    assert after.money == "refunded"
    assert till.jobs("mail_undelivered") == 1
    till.hand_over()
    assert till.spendable(customer) == 0
    assert delivery.find_delivery(order.lines[0].line_id) is None
    assert check_book() == []


@pytest.mark.parametrize("at", ["_provide", "_grant", "_finish"])
def test_a_dead_hand_over_is_paid_back_whole(till: Till, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    customer, order = paid(till)
    line_id = order.lines[0].line_id

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(fulfilment, at, broken)
    while (found := jobs.find_job(f"fulfil:{line_id}")) is not None and found.state == "ready":
        till.wake()
        Job.objects.filter(kind="check_delivery", state="ready").update(run_at=now() + HOUR)
        till.hand_over()
    time_is_up(till)
    till.wake()
    till.deliver()
    assert order_of(order.number).money == "refunded"
    dead = jobs.find_job(f"fulfil:{line_id}")
    assert dead is not None
    assert dead.state == "cancelled"
    assert not job_verbs.retry_job(dead.id), "what was paid back is not delivered later"
    assert till.spendable(customer) == 0
    row = delivery.find_delivery(line_id)
    assert row is not None
    assert row.state == "revoked"
    assert check_book() == []


def test_while_it_is_being_tried_nothing_is_decided(till: Till) -> None:
    _, order = paid(till)
    Job.objects.filter(kind="fulfil_line").update(state="running", lease="x")
    assert "check_delivery:ready" in time_is_up(till)
    assert order_of(order.number).money == "paid"


def test_what_went_back_by_hand_is_not_paid_back_twice(till: Till) -> None:
    _, order = paid(till)
    refund.request_refund(order.number)
    till.deliver()
    time_is_up(till)
    assert order_of(order.number).refunded_minor == order.total_minor
