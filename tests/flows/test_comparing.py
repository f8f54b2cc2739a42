"""Our books beside the provider's: what was missed is brought in, what cannot be is for a person."""

from __future__ import annotations

import datetime as dt

import pytest
from django.conf import settings
from django.utils import timezone

from tests.services.money import Till
from tollkeeper.flows import comparing as flow
from tollkeeper.flows import purchase, refund
from tollkeeper.payments import comparing
from tollkeeper.payments.models import Attempt, Finding
from tollkeeper.sales import queries as sales


def compare(till: Till, now: dt.datetime | None = None) -> list[str]:
    flow.compare("stripe", now or timezone.now() + dt.timedelta(minutes=5))
    return [row.what for row in comparing.open_findings()]


def listening(till: Till) -> None:
    till.engine.listen(f"{settings.PUBLIC_URL}/hooks/stripe")


def money(number: str) -> str:
    found = sales.find_order(number)
    assert found is not None
    return found.money


def test_books_of_an_ordinary_day_agree(till: Till) -> None:
    listening(till)
    customer = till.customer()
    till.bought(customer, "pro")
    number = till.bought(customer)
    refund.request_refund(number, 200)
    till.work()
    other = till.order(customer)
    till.pay(other, "dispute")
    till.deliver()
    till.engine.bank.advance(60)
    till.deliver()
    assert money(other) == "disputed"
    assert compare(till) == []
    flow.compare_books(None)  # type: ignore[arg-type]
    assert till.jobs("compare_with") == 1


def test_a_refund_whose_event_was_lost_is_brought_in(till: Till) -> None:
    listening(till)
    number = till.bought(till.customer())
    till.courier.knobs.drop = 1.0
    till.engine.bank.refund({"payment_intent": till.payment(number), "amount": 200})
    till.deliver()
    assert money(number) == "paid"
    assert compare(till) == []
    assert money(number) == "part_refunded"


def test_money_for_nobody_is_for_a_person_and_settled_once(till: Till) -> None:
    listening(till)
    number = till.bought(till.customer())
    payment = till.payment(number)
    Attempt.objects.filter(payment=payment).update(payment="pi_other")  # made in the dashboard, say
    assert compare(till) == ["unknown_payment"]
    (row,) = comparing.open_findings()
    assert (row.reference, row.amount_minor, row.currency) == (payment, 500, "USD")
    assert compare(till) == ["unknown_payment"], "it is one task, however often it is found"
    assert flow.settle(row.finding_id, actor=None)
    assert not flow.settle(row.finding_id, actor=None)
    assert compare(till) == [], "what a person settled does not come back"


def test_what_we_alone_count_and_what_differs_is_found_and_ends_by_itself(till: Till) -> None:
    listening(till)
    number = till.bought(till.customer())
    long_ago = timezone.now() + dt.timedelta(days=1)
    rows = list(till.engine.store.all("balance_transaction"))
    for row in rows:
        till.engine.store.drop("balance_transaction", row["id"])
    assert compare(till, long_ago) == ["missing_payment"]
    for row in rows:
        till.engine.store.put("balance_transaction", row["id"], {**row, "amount": row["amount"] + 1})
    assert compare(till, long_ago) == ["amount"]
    for row in rows:
        till.engine.store.put("balance_transaction", row["id"], row)
    assert compare(till, long_ago) == []
    assert Finding.objects.count() == 2
    assert money(number) == "paid"


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        (None, ["deaf:no_endpoint"]),
        ({"status": "disabled"}, ["deaf:disabled"]),
        ({"api_version": "2020-08-27"}, ["deaf:api_version"]),
        ({"api_version": None}, []),
        ({"url": "https://other.example/hooks/stripe"}, ["deaf:no_endpoint"]),
    ],
)
def test_an_endpoint_that_does_not_fit_is_told(
    till: Till, fields: dict[str, object] | None, found: list[str]
) -> None:
    if fields is not None:
        listening(till)
        (row,) = till.engine.store.all("webhook_endpoint")
        till.engine.store.put("webhook_endpoint", row["id"], {**row, **fields})
    till.bought(till.customer())
    assert compare(till) == found


def test_events_that_are_not_sent_are_named(till: Till) -> None:
    listening(till)
    (row,) = till.engine.store.all("webhook_endpoint")
    kinds = ["checkout.session.completed", "invoice.paid"]
    till.engine.store.put("webhook_endpoint", row["id"], {**row, "enabled_events": kinds})
    found = compare(till)
    assert "deaf:event:charge.dispute.created" in found
    assert "deaf:event:invoice.paid" not in found


def test_an_unreachable_provider_leaves_what_was_found(till: Till) -> None:
    number = till.order(till.customer())
    purchase.begin_payment(number)
    assert compare(till) == ["deaf:no_endpoint"]
    till.engine.fail_next = 50
    with pytest.raises(purchase.Unsure):
        flow.compare("stripe", timezone.now())
    assert [row.what for row in comparing.open_findings()] == ["deaf:no_endpoint"]
