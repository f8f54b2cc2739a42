"""Paying by transfer: the bank's file is the truth, and it may be read twice."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.services.money import Till
from tollkeeper.core.statement import BadStatement
from tollkeeper.flows import bank, purchase, refund
from tollkeeper.payments import transfers
from tollkeeper.payments.models import Document, Transfer
from tollkeeper.sales import queries as sales
from tollkeeper.sales import services as sales_verbs

DAY = dt.date(2027, 1, 31)


def order_of(number: str) -> sales.OrderView:
    found = sales.find_order(number)
    assert found is not None
    return found


def awaiting(till: Till) -> tuple[int, str]:
    customer = till.customer()
    number = till.order(customer)
    assert purchase.begin_payment(number, "invoice").endswith("/return")
    return customer, number


def file(*rows: str) -> bytes:
    return "\n".join(["date,amount,text", *rows]).encode()


def test_the_invoice_is_issued_at_once_and_serves_as_receipt(till: Till) -> None:
    customer, number = awaiting(till)
    (made,) = Document.objects.all()
    assert made.kind == "invoice"
    assert dict(bank.instructions(customer, number))["reference"] == number
    bank.import_statement(file(f"2027-01-31,5.00,{number}"), "USD")
    till.work()
    assert order_of(number).money == "paid"
    assert till.jobs("fulfil_line") == 1
    assert Document.objects.count() == 1


def test_the_same_file_twice_pays_once(till: Till) -> None:
    _, number = awaiting(till)
    text = file(f"2027-01-31,5.00,{number}", "2027-01-31,7.00,rent")
    first, second = bank.import_statement(text, "USD"), bank.import_statement(text, "USD")
    assert (first.fresh, first.matched, second.fresh, second.known) == (2, 1, 0, 2)
    till.work()
    assert order_of(number).captured_minor == 500


def test_parts_add_up(till: Till) -> None:
    _, number = awaiting(till)
    bank.confirm_transfer(number, 200, DAY, mark="a")
    assert order_of(number).status == "awaiting_payment"
    bank.confirm_transfer(number, 300, DAY, mark="b")
    bank.confirm_transfer(number, 300, DAY, mark="b")
    assert order_of(number).money == "paid"


def test_too_much_waits_for_a_person(till: Till) -> None:
    _, number = awaiting(till)
    bank.confirm_transfer(number, 700, DAY, mark="a")
    assert order_of(number).review == "amount"
    assert till.jobs("fulfil_line") == 0


def test_another_currency_does_not_count(till: Till) -> None:
    _, number = awaiting(till)
    bank.import_statement(file(f"2027-01-31,5.00,{number}"), "EUR")
    till.work()
    assert order_of(number).money == "unpaid"


def test_a_transfer_without_a_number_is_assigned_once(till: Till) -> None:
    _, number = awaiting(till)
    bank.import_statement(file("2027-01-31,5.00,hello"), "USD")
    (row,) = transfers.unmatched()
    bank.assign_transfer(row.transfer_id, number)
    assert order_of(number).money == "paid"
    with pytest.raises(LookupError):
        bank.assign_transfer(row.transfer_id, number)


def test_a_broken_file_leaves_nothing(till: Till) -> None:
    _, number = awaiting(till)
    with pytest.raises(BadStatement):
        bank.import_statement(file(f"2027-01-31,5.00,{number}", "x,y,z"), "USD")
    assert not Transfer.objects.exists()


def test_an_operators_slip_is_said(till: Till) -> None:
    with pytest.raises(sales_verbs.NoSuchOrder):
        bank.confirm_transfer("TK-22222-22222", 5, DAY, mark="x")
    _, number = awaiting(till)
    with pytest.raises(ValueError, match="more than nothing"):
        bank.confirm_transfer(number, 0, DAY, mark="x")


def test_a_refund_by_hand_is_pending_until_it_was_sent(till: Till) -> None:
    _, number = awaiting(till)
    bank.confirm_transfer(number, 500, DAY, mark="a")
    till.hand_over()
    (refund_id,) = refund.request_refund(number)
    till.work()
    assert order_of(number).money == "paid"
    bank.refund_sent(str(refund_id))
    assert order_of(number).money == "refunded"


def test_a_subscription_is_not_paid_by_transfer(till: Till) -> None:
    number = till.order(till.customer(), "pro")
    with pytest.raises(purchase.CannotPay):
        purchase.begin_payment(number, "invoice")
