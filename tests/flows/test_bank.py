"""Paying by transfer: the bank's file is the truth, and it may be read twice."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from tests.services.money import Till
from tollkeeper.core.refusal import Refused
from tollkeeper.core.statement import BadStatement
from tollkeeper.flows import bank, purchase, refund
from tollkeeper.kit.trail.models import Entry
from tollkeeper.payments import queries as payments
from tollkeeper.payments import transfers
from tollkeeper.payments.models import Attempt, Document, Transfer
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


def whys() -> list[str]:
    return [why for _, _, why in bank.open_transfers()]


def test_another_currency_does_not_count_and_is_a_task(till: Till) -> None:
    _, number = awaiting(till)
    bank.import_statement(file(f"2027-01-31,5.00,{number}"), "EUR")
    till.work()
    assert order_of(number).money == "unpaid"
    ((row, order, why),) = bank.open_transfers()
    assert (why, order.number if order else "") == ("currency", number)
    bank.send_back(row.transfer_id)
    assert whys() == []
    with pytest.raises(LookupError):
        bank.send_back(row.transfer_id)


def test_too_little_is_a_task_until_it_is_taken_for_the_whole(till: Till) -> None:
    customer, number = awaiting(till)
    with pytest.raises(Refused):
        bank.take_for_the_whole(number)
    bank.confirm_transfer(number, 480, DAY, mark="a")
    assert (whys(), bank.part_of(order_of(number))) == (["too_little"], 480)
    bank.take_for_the_whole(number)
    till.hand_over()
    order = order_of(number)
    assert (order.status, order.money, order.captured_minor) == ("delivered", "paid", 480)
    assert till.spendable(customer) == 10_000
    assert standing() == 480
    assert whys() == []
    with pytest.raises(Refused):
        bank.take_for_the_whole(number)
    (made,) = refund.request_refund(number)
    till.work()
    bank.refund_sent(str(made))
    assert (order_of(number).money, order_of(number).refunded_minor, standing()) == ("refunded", 480, 0)


def standing() -> int:
    return sum(Document.objects.values_list("total_minor", flat=True))


def ended(till: Till) -> str:
    _, number = awaiting(till)
    till.shift(number, dt.timedelta(days=15))
    purchase.expire_orders(None)  # type: ignore[arg-type]
    till.work()
    assert order_of(number).status == "expired"
    return number


def test_an_invoice_that_nobody_paid_is_credited_and_not_looked_at_for_ever(till: Till) -> None:
    number = ended(till)
    assert [(d.kind, d.total_minor) for d in Document.objects.order_by("pk")] == [
        ("invoice", 500),
        ("credit_note", -500),
    ]
    assert Attempt.objects.get().state == "expired"
    assert payments.stale_orders(timezone.now() + dt.timedelta(days=1)) == ()
    # late money is believed, and the invoice stands again
    bank.confirm_transfer(number, 500, DAY, mark="late")
    till.hand_over()
    assert (order_of(number).status, standing()) == ("delivered", 500)
    assert Document.objects.filter(kind="debit_note").count() == 1


def test_a_part_that_came_for_an_order_that_ended_is_a_task(till: Till) -> None:
    number = ended(till)
    bank.confirm_transfer(number, 100, DAY, mark="part")
    ((row, _, why),) = bank.open_transfers()
    assert (why, order_of(number).status) == ("ended", "expired")
    bank.send_back(row.transfer_id)
    assert whys() == []
    assert Entry.objects.filter(verb="transfer.returned", object=f"sales.Order:{number}").count() == 1


def test_money_for_what_the_card_has_paid_is_a_task(till: Till) -> None:
    number = till.bought(till.customer())
    bank.import_statement(file(f"2027-01-31,5.00,{number}"), "USD")
    till.work()
    assert whys() == ["twice"]
    assert order_of(number).captured_minor == 500


def test_a_transfer_for_an_order_at_the_card_page_takes_it_off_there(till: Till) -> None:
    shop = till.folder / "shop.toml"
    shop.write_text(
        shop.read_text().replace(
            'providers = ["stripe", "free"]', 'providers = ["stripe", "invoice", "free"]'
        )
    )
    till.reload()
    number = till.order(till.customer())
    purchase.begin_payment(number)
    bank.import_statement(file(f"2027-01-31,5.00,{number}"), "USD")
    till.work()
    assert order_of(number).money == "paid"
    assert till.engine.store.get("session", till.session(number))["status"] == "expired"  # type: ignore[index]
    assert whys() == []


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
