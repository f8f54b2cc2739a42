"""Money goes back once, and takes with it what it had bought."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from tests.services.money import Till
from tollkeeper.delivery import queries as delivery
from tollkeeper.flows import reconcile as reconciling
from tollkeeper.flows import refund
from tollkeeper.kit.models import Job
from tollkeeper.payments import queries as payments
from tollkeeper.payments.models import Document, Refund
from tollkeeper.sales import queries as sales
from tollkeeper.usage import queries as usage
from tollkeeper.usage.services import check_book


def order_of(number: str) -> sales.OrderView:
    found = sales.find_order(number)
    assert found is not None
    return found


def test_a_full_refund_takes_units_and_rights_back(till: Till) -> None:
    customer = till.customer()
    number = till.bought(customer)
    assert till.spendable(customer) == 10_000
    refund.request_refund(number)
    till.work()
    till.deliver()
    order = order_of(number)
    assert (order.money, order.refunded_minor) == ("refunded", 500)
    assert till.spendable(customer) == 0
    row = delivery.find_delivery(order.lines[0].line_id)
    assert row is not None
    assert row.state == "revoked"
    assert not check_book()


def test_a_part_refund_takes_its_share_and_leaves_the_key(till: Till) -> None:
    customer = till.customer()
    number = till.bought(customer)
    refund.request_refund(number, 200)
    till.work()
    assert order_of(number).money == "part_refunded"
    assert till.spendable(customer) == 6_000
    row = delivery.find_delivery(order_of(number).lines[0].line_id)
    assert row is not None
    assert row.state == "delivered"
    refund.request_refund(number)
    till.work()
    assert order_of(number).money == "refunded"
    assert till.spendable(customer) == 0
    assert len({r.reference for r in Refund.objects.all()}) == 2


def test_the_credit_notes_sum_to_what_went_back_and_have_no_gaps(till: Till) -> None:
    number = till.bought(till.customer())
    for amount in (100, 150, None):
        refund.request_refund(number, amount)
        till.work()
    notes = list(Document.objects.filter(kind="credit_note").order_by("number"))
    assert [note.number for note in notes] == [1, 2, 3]
    assert sum(note.total_minor for note in notes) == -500
    invoice = Document.objects.get(kind="receipt")
    assert {note.corrects_id for note in notes} == {invoice.pk}


def test_a_refund_made_in_the_dashboard_is_taken_up(till: Till) -> None:
    customer = till.customer()
    number = till.bought(customer)
    till.engine.bank.refund({"payment_intent": till.payment(number), "amount": 500})
    till.deliver()
    (row,) = payments.list_refunds(order_of(number).order_id)
    assert (row.origin, row.state) == ("external", "succeeded")
    assert order_of(number).money == "refunded"
    assert till.spendable(customer) == 0


def test_units_rest_while_a_refund_is_pending_and_come_back_if_it_fails(till: Till) -> None:
    customer = till.customer()
    number = till.order(customer)
    till.pay(number, "refund_fails")
    till.deliver()
    till.hand_over()
    refund.request_refund(number)
    till.work()
    assert order_of(number).money == "paid"
    assert till.spendable(customer) == 0
    till.engine.bank.advance(30)
    till.deliver()
    assert order_of(number).money == "paid"
    assert till.spendable(customer) == 10_000
    row = delivery.find_delivery(order_of(number).lines[0].line_id)
    assert row is not None
    assert row.state == "delivered"
    assert not check_book()


def test_a_lost_answer_does_not_refund_twice(till: Till) -> None:
    number = till.bought(till.customer())
    refund.request_refund(number, 200)
    serve = till.engine.serve
    lost = []

    def lose(method, url, headers, body=""):  # type: ignore[no-untyped-def]
        if method == "post" and url.endswith("/v1/refunds") and len(lost) < 3:
            lost.append(url)
            till.engine.lose_next = 1
        return serve(method, url, headers, body)

    till.engine.serve = lose  # type: ignore[method-assign]
    till.work()
    till.wake()
    till.work()
    assert len(lost) == 3
    assert [r["amount"] for r in till.engine.store.all("refund")] == [200]
    assert order_of(number).refunded_minor == 200


@pytest.mark.parametrize(("amount", "code"), [(501, "too_much"), (0, "too_much"), (-1, "too_much")])
def test_more_than_came_cannot_go_back(till: Till, amount: int, code: str) -> None:
    number = till.bought(till.customer())
    with pytest.raises(refund.CannotRefund) as no:
        refund.request_refund(number, amount)
    assert no.value.code == code
    assert not Refund.objects.exists()


def test_what_is_asked_counts_before_it_has_gone(till: Till) -> None:
    number = till.bought(till.customer())
    refund.request_refund(number, 300)
    with pytest.raises(refund.CannotRefund):
        refund.request_refund(number, 300)


def test_an_unpaid_order_has_nothing_to_give_back(till: Till) -> None:
    number = till.order(till.customer())
    with pytest.raises(refund.CannotRefund) as no:
        refund.request_refund(number)
    assert no.value.code == "not_paid"


def test_a_clear_no_of_the_provider_gives_the_units_back(till: Till) -> None:
    customer = till.customer()
    number = till.bought(customer)
    refund.request_refund(number)
    session = till.engine.store.get("intent", till.payment(number))
    assert session is not None
    till.engine.bank.refund({"payment_intent": till.payment(number), "amount": 400})
    till.work()
    till.deliver()
    states = sorted((r.amount_minor, r.state, r.error) for r in Refund.objects.all())
    assert states == [(400, "succeeded", ""), (500, "failed", "amount_too_large")]
    assert till.spendable(customer) == 2_000


def test_spent_units_become_a_debt(till: Till) -> None:
    customer = till.customer()
    number = till.bought(customer)
    till.spend(customer, 9_000)
    refund.request_refund(number)
    till.work()
    (balance,) = usage.balances(customer)
    assert (balance.spendable, balance.owed) == (0, 9_000 * 10**6)


def test_a_second_payment_goes_back_by_itself(till: Till) -> None:
    customer = till.customer()
    number = till.order(customer)
    till.pay(number, "debit")
    first = till.session(number)
    till.second_session(number)
    till.engine.bank.pay(till.session(number), "ok")
    till.deliver()
    till.engine.bank.advance(60)
    till.deliver()
    till.hand_over()
    till.work()
    till.deliver()
    order = order_of(number)
    assert first != till.session(number)
    assert (order.captured_minor, order.refunded_minor, order.money) == (1000, 500, "paid")
    assert till.spendable(customer) == 10_000
    assert [r.reason for r in Refund.objects.all()] == ["duplicate"]
    # it was invoiced once: giving the second payment back corrects nothing
    assert [d.kind for d in Document.objects.all()] == ["receipt"]
    refund.request_refund(number, 200)
    till.work()
    till.deliver()
    assert standing(number) == 300


def standing(number: str) -> int:
    """What stands invoiced of an order."""
    return sum(Document.objects.filter(order__number=number).values_list("total_minor", flat=True))


def test_what_stands_invoiced_follows_a_refund_that_fails_after_all(till: Till) -> None:
    number = till.bought(till.customer())
    refund.request_refund(number, 200)
    till.work()
    till.deliver()
    assert standing(number) == 300
    (row,) = till.engine.store.all("refund")
    till.engine.store.put("refund", row["id"], {**row, "status": "failed"})
    for _ in range(2):
        reconciling.reconcile(order_of(number).order_id)
    assert order_of(number).money == "paid"
    assert standing(number) == 500
    notes = Document.objects.order_by("pk").values_list("kind", "total_minor")
    assert list(notes) == [("receipt", 500), ("credit_note", -200), ("debit_note", 200)]
    refund.request_refund(number)
    till.work()
    till.deliver()
    assert standing(number) == 0


def test_a_refund_that_failed_is_sent_in_another_way_once(till: Till) -> None:
    customer = till.customer()
    number = till.order(customer)
    till.pay(number, "refund_fails")
    till.deliver()
    till.hand_over()
    (made,) = refund.request_refund(number)
    till.work()
    with pytest.raises(refund.CannotRefund):
        refund.sent_otherwise(str(made))  # it has not failed
    till.engine.bank.advance(30)
    till.deliver()
    (task,) = payments.failed_refunds()
    assert task.refund_id == made
    refund.sent_otherwise(str(made))
    till.work()
    order = order_of(number)
    assert (order.money, order.refunded_minor, standing(number)) == ("refunded", 500, 0)
    assert payments.failed_refunds() == ()
    assert till.spendable(customer) == 0
    with pytest.raises(refund.CannotRefund):
        refund.sent_otherwise(str(made))
    assert not check_book()


def test_late_money_goes_back_where_the_policy_says_so(till: Till) -> None:
    number = till.order(till.customer())
    till.pay(number, "debit")
    till.expire(number, late="refund")
    till.engine.bank.advance(60)
    till.deliver()
    till.deliver()
    order = order_of(number)
    assert (order.lifecycle, order.refunded_minor) == ("expired", 500)
    assert [r.reason for r in Refund.objects.all()] == ["late"]


def test_looking_again_changes_nothing(till: Till) -> None:
    number = till.bought(till.customer())
    refund.request_refund(number, 123)
    till.work()
    before = list(Refund.objects.values())
    for _ in range(3):
        reconciling.reconcile(order_of(number).order_id)
        till.work()
    assert list(Refund.objects.values()) == before
    assert Document.objects.filter(kind="credit_note").count() == 1


def test_what_a_failed_refund_had_is_taken_by_the_one_that_came_after_it(till: Till) -> None:
    """The second refund is booked while the first, which failed, still has all the units."""
    customer = till.customer()
    number = till.order(customer)
    till.pay(number, "refund_fails")
    till.deliver()
    till.hand_over()
    refund.request_refund(number)
    till.work()
    assert till.spendable(customer) == 0
    till.engine.bank.advance(60)
    reconciling.reconcile(order_of(number).order_id)
    undone = Job.objects.get(kind="book_refund", key__endswith=":undone")
    Job.objects.filter(pk=undone.pk).update(run_at=timezone.now() + dt.timedelta(hours=1))
    refund.request_refund(number, 200)
    till.work()
    assert [r.state for r in payments.list_refunds(order_of(number).order_id)] == ["failed", "pending"]
    assert till.spendable(customer) == 0
    Job.objects.filter(pk=undone.pk).update(run_at=timezone.now())
    till.work()
    assert till.spendable(customer) == 6_000
    till.engine.bank.advance(60)
    till.deliver()
    assert till.spendable(customer) == 10_000
    assert not check_book()
