"""A dispute stops the keys at once; what happens then is undone if it is won."""

from __future__ import annotations

import json

import pytest

from tests.services.money import Till
from tollkeeper.delivery import queries as delivery
from tollkeeper.delivery.models import Suspension
from tollkeeper.flows import dispute, refund
from tollkeeper.payments import queries as payments
from tollkeeper.sales import queries as sales
from tollkeeper.usage.services import check_book


def contested(till: Till, customer: int) -> tuple[str, str]:
    """A paid and delivered pack whose payer's bank takes the money back; (order, dispute)."""
    number = till.order(customer)
    till.pay(number, "dispute")
    till.deliver()
    till.hand_over()
    till.engine.bank.advance(60)
    till.deliver()
    (row,) = till.engine.store.all("dispute")
    return number, row["id"]


def order_of(number: str) -> sales.OrderView:
    found = sales.find_order(number)
    assert found is not None
    return found


def state_of(number: str) -> str:
    row = delivery.find_delivery(order_of(number).lines[0].line_id)
    assert row is not None
    return row.state


def suspended(customer: int) -> bool:
    return Suspension.objects.filter(customer_id=customer, reason="dispute").exists()


def test_a_dispute_suspends_keys_and_sets_the_units_aside(till: Till) -> None:
    customer = till.customer()
    number, _ = contested(till, customer)
    assert order_of(number).money == "disputed"
    assert suspended(customer)
    assert {key.state for key in delivery.list_keys(customer)} <= {"suspended", "active"}
    assert till.spendable(customer) == 0
    with pytest.raises(refund.CannotRefund) as no:
        refund.request_refund(number)
    assert no.value.code == "disputed"


def test_a_dispute_that_is_won_gives_everything_again(till: Till) -> None:
    customer = till.customer()
    number, name = contested(till, customer)
    till.engine.bank.decide(name, "won")
    till.deliver()
    assert order_of(number).money == "paid"
    assert not suspended(customer)
    assert till.spendable(customer) == 10_000
    assert state_of(number) == "delivered"
    assert not check_book()


def test_a_dispute_that_is_lost_takes_the_rights_for_good(till: Till) -> None:
    customer = till.customer()
    number, name = contested(till, customer)
    till.engine.bank.decide(name, "lost")
    till.deliver()
    assert order_of(number).money == "charged_back"
    assert till.spendable(customer) == 0
    assert state_of(number) == "revoked"
    assert not suspended(customer)
    assert not check_book()


def test_the_order_of_events_does_not_matter(till: Till) -> None:
    till.courier.knobs.set({"reorder": 1.0, "duplicate": 1.0})
    customer = till.customer()
    number, name = contested(till, customer)
    till.engine.bank.decide(name, "under_review")
    till.engine.bank.decide(name, "won")
    till.deliver()
    till.deliver()
    assert order_of(number).money == "paid"
    assert till.spendable(customer) == 10_000


def test_an_old_story_does_not_bring_a_dispute_back(till: Till) -> None:
    customer = till.customer()
    number, name = contested(till, customer)
    till.engine.bank.decide(name, "won")
    till.deliver()
    row = till.engine.store.get("dispute", name)
    assert row is not None
    row["status"] = "needs_response"
    till.ask(number)
    assert order_of(number).money == "paid"


def test_a_dispute_before_the_hand_over_hands_nothing_over(till: Till) -> None:
    customer = till.customer()
    number = till.order(customer)
    till.courier.knobs.drop = 1.0
    till.pay(number, "dispute")
    till.engine.bank.advance(60)
    till.ask(number)
    assert order_of(number).money == "disputed"
    assert till.jobs("fulfil_line") == 0
    (row,) = till.engine.store.all("dispute")
    till.engine.bank.decide(row["id"], "won")
    till.ask(number)
    till.hand_over()
    assert till.spendable(customer) == 10_000


def test_the_evidence_names_no_person_and_no_call(till: Till) -> None:
    customer = till.customer()
    number, _ = contested(till, customer)
    (row,) = payments.open_disputes()
    assert row.respond_by is not None
    pack = dispute.evidence(row.dispute_id)
    assert pack["order"] == number
    assert pack["delivered"][0]["at"]
    assert len(pack["calls_by_day"]) == 90
    assert "@" not in json.dumps(pack)
