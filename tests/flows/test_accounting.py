"""What was invoiced less what was credited is what came less what went back."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.services.money import Till
from tollkeeper.core import bookkeeping
from tollkeeper.flows import accounting, refund


def span() -> tuple[dt.date, dt.date]:
    today = dt.datetime.now(dt.UTC).date()
    return today - dt.timedelta(days=1), today + dt.timedelta(days=2)


def test_receivables_come_to_nothing_when_all_is_settled(till: Till) -> None:
    numbers = [till.bought(till.customer()) for _ in range(3)]
    refund.request_refund(numbers[0])
    refund.request_refund(numbers[1], 123)
    till.work()
    rows = accounting.journal(*span(), live=False)
    sums = bookkeeping.balances(rows)
    assert sums[("receivable", "USD")] == 0
    assert sums[("cash:stripe", "USD")] == 3 * 500 - 500 - 123
    assert sums[("revenue:0", "USD")] == -(3 * 500 - 500 - 123)


def test_a_lost_dispute_is_a_loss(till: Till) -> None:
    number = till.order(till.customer())
    till.pay(number, "dispute")
    till.deliver()
    till.hand_over()
    till.engine.bank.advance(60)
    (row,) = till.engine.store.all("dispute")
    till.engine.bank.decide(row["id"], "lost")
    till.deliver()
    sums = bookkeeping.balances(accounting.journal(*span(), live=False))
    assert sums[("loss:dispute", "USD")] == 500
    assert sums[("cash:stripe", "USD")] == 0


def test_test_money_is_not_in_the_real_books(till: Till) -> None:
    till.bought(till.customer())
    assert accounting.journal(*span(), live=True) == ()
    assert accounting.journal_csv(*span(), live=False).count("\r\n") == 3


def test_a_span_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="before"):
        accounting.journal_csv(dt.date(2027, 1, 2), dt.date(2027, 1, 1), live=True)
