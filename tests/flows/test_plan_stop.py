"""Stopping one product, from the operator's word to the last relay, and letting it go on."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from samples.relays.faults import Fault
from tests.flows.test_fulfilment import fulfil
from tests.services.gates import Gate
from tests.services.lines import FREE, PRO, customer, line
from tests.services.money import Till
from tests.services.relay_shop import TERMS, Shop, revealed, sell, work
from tollkeeper.accounts.models import User
from tollkeeper.accounts.services import create_person
from tollkeeper.catalog import queries as catalog
from tollkeeper.catalog.services import load_shop
from tollkeeper.core.refusal import Refused
from tollkeeper.core.terms import MICRO, KeyTerms
from tollkeeper.delivery import queries as delivery
from tollkeeper.delivery.models import KeyEntry
from tollkeeper.flows import plan_stop, renewal, selling
from tollkeeper.gate.ledger import standing
from tollkeeper.kit import job_runner
from tollkeeper.kit.fields import to_micros
from tollkeeper.kit.models import Job
from tollkeeper.kit.trail.models import Entry
from tollkeeper.sales import queries as sales
from tollkeeper.sales.models import Order
from tollkeeper.usage import queries as usage

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])
WHY = "Its models are being repaired."


@pytest.fixture
def boss(db: None) -> User:
    load_shop(settings.SHOP)
    return create_person("boss@example.org", None, is_staff=True)


def spread(*also: str) -> None:
    while (context := job_runner.claim(["spread_plan_stop", "mail_plan_stopped", *also])) is not None:
        assert job_runner.run(context) == "done"


def test_sale_and_keys_stop_at_once_each_customer_is_told_once_and_all_of_it_goes_on(
    boss: User, mailoutbox: list[Any]
) -> None:
    buyer, other = customer(), customer()
    fulfil(line(buyer, PRO))
    fulfil(line(buyer, PRO))
    fulfil(line(other, FREE))
    mailoutbox.clear()
    assert plan_stop.stop("pro", f"  {WHY} ", actor=boss.pk) == 1
    assert dict(KeyEntry.objects.values_list("customer_id", "state")) == {buyer: "suspended", other: "active"}
    assert selling.why_unsold(catalog.get_plan("pro")) == "plan_stopped"
    spread()
    Job.objects.filter(kind="spread_plan_stop").update(state="ready", run_at=timezone.now())
    spread()
    [letter] = mailoutbox
    assert WHY in letter.body
    assert catalog.get_plan("pro").name in letter.subject
    with pytest.raises(Refused, match="already"):
        plan_stop.stop("pro", "twice", actor=boss.pk)
    assert plan_stop.resume("pro", actor=boss.pk) == 1
    spread()
    assert set(KeyEntry.objects.values_list("state", flat=True)) == {"active"}
    assert selling.why_unsold(catalog.get_plan("pro")) == ""
    assert len(mailoutbox) == 1
    trail = Entry.objects.filter(object="catalog.Plan:pro").order_by("seq")
    assert list(trail.values_list("verb", flat=True)) == ["plan.stopped", "plan.resumed"]
    assert all(entry.actor.startswith("p_") for entry in trail)


def test_nobody_is_told_of_a_stop_that_is_over(boss: User, mailoutbox: list[Any]) -> None:
    fulfil(line(customer(), PRO))
    mailoutbox.clear()
    plan_stop.stop("pro", WHY, actor=boss.pk)
    plan_stop.resume("pro", actor=boss.pk)
    spread()
    assert mailoutbox == []


@pytest.mark.parametrize(
    ("plan", "reason", "said"),
    [("pro", "  ", "Say why"), ("pro", "x" * 201, "at most 200"), ("no-such", WHY, "no plan")],
)
def test_what_cannot_be_stopped_is_refused(boss: User, plan: str, reason: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        plan_stop.stop(plan, reason, actor=boss.pk)
    with pytest.raises(Refused, match="not stopped"):
        plan_stop.resume(plan, actor=boss.pk)
    assert not Job.objects.exists()


def test_units_of_a_stopped_plan_rest_and_those_of_others_are_lent(boss: User) -> None:
    buyer, gate = customer(), Gate()
    fulfil(line(buyer, PRO, units=1000))
    fulfil(line(buyer, FREE, units=10))
    plan_stop.stop("pro", WHY, actor=boss.pk)
    drawn = gate.draw(buyer, 1 * MICRO, 5000 * MICRO, to_micros(timezone.now()))
    assert 0 < drawn.amount <= 10 * MICRO
    assert gate.draw(buyer, 11 * MICRO, 11 * MICRO, to_micros(timezone.now())).amount == 0
    [balance] = usage.balances(buyer, delivery.stops())
    assert (balance.granted, balance.resting, balance.left) == (10 * MICRO, 1000 * MICRO, 10 * MICRO)
    told = standing(gate.book, buyer, "calls", to_micros(timezone.now()))
    assert (told.spendable + told.held, [row[0] for row in told.grants]) == (10 * MICRO, [10 * MICRO])
    plan_stop.resume("pro", actor=boss.pk)
    assert gate.draw(buyer, 900 * MICRO, 900 * MICRO, to_micros(timezone.now())).amount == 900 * MICRO


def test_keys_at_relays_are_stopped_there_in_the_end_and_go_on(shop: Shop, boss: User) -> None:
    buyer = customer()
    sell(buyer)
    work()
    secret = revealed(buyer)
    shop.relay.faults.plan(Fault("suspend", "cut_before"), Fault("update", "cut_after"))
    plan_stop.stop("plus", WHY, actor=boss.pk)
    spread()
    work()
    assert not shop.chat(secret)
    late = customer()
    sell(late)
    work()
    assert not shop.chat(revealed(late)), "one that is made meanwhile is born stopped"
    plan_stop.resume("plus", actor=boss.pk)
    spread()
    work()
    assert shop.chat(secret)


def test_a_key_at_a_relay_with_another_plan_goes_on_with_its_terms(shop: Shop, boss: User) -> None:
    buyer = customer()
    sell(buyer)
    work()
    secret = revealed(buyer)
    sell(buyer, terms=KeyTerms("extra", unit="credits", models=("tern-1",), concurrency=3))
    work()
    plan_stop.stop("plus", WHY, actor=boss.pk)
    spread()
    work()
    assert shop.chat(secret)
    newest = delivery.deliveries(buyer)[0]
    wish = delivery.desired(newest.id).wish  # type: ignore[union-attr]
    assert (wish.concurrency, wish.requests_per_minute) == (3, 0)
    assert TERMS.limits, "the stopped plan has a limit that the other lacks"


def switch(till: Till, *, stopped: bool, times: int = 1) -> None:
    """The operator's word, and all that follows from it; the job may come again."""
    if stopped:
        plan_stop.stop("pro", WHY, actor=None)
    else:
        plan_stop.resume("pro", actor=None)
    for _ in range(times):
        till.hand_over()
        Job.objects.filter(kind="spread_plan_stop").update(state="ready", run_at=timezone.now())
    till.hand_over()
    till.deliver()


def paid(customer_id: int) -> int:
    return Order.objects.filter(customer_id=customer_id, money="paid").count()


def test_nobody_pays_for_a_new_period_of_what_is_stopped(till: Till) -> None:
    payer = till.customer()
    till.bought(payer, "pro")
    till.deliver()
    switch(till, stopped=True, times=2)
    held = sales.current_plan(payer)
    assert held is not None
    assert held.state == "paused"
    till.age_plan(payer, days=40)
    till.hand_over()
    till.deliver()
    assert paid(payer) == 1
    assert renewal.unpause_plan(payer, held.subscription) is False
    assert sales.get_plan(held.subscription_id).state == "paused"
    switch(till, stopped=False, times=2)
    assert sales.get_plan(held.subscription_id).state == "active"


def test_who_rested_or_ended_before_the_stop_does_so_after_it(till: Till) -> None:
    rests, ends, changes_mind = (till.customer() for _ in range(3))
    for one in (rests, ends, changes_mind):
        till.bought(one, "pro")
    till.deliver()
    number = {one: sales.list_plans(one)[0].subscription for one in (rests, ends, changes_mind)}
    renewal.pause_plan(rests, number[rests])
    renewal.cancel_plan(ends, number[ends])
    till.deliver()
    switch(till, stopped=True)
    renewal.cancel_plan(changes_mind, number[changes_mind])
    till.deliver()
    switch(till, stopped=False)
    assert sales.list_plans(rests)[0].state == "paused"
    assert [(plan.state, plan.ends_with_period) for plan in sales.list_plans(ends)] == [("active", True)]
    assert all(plan.ends_with_period for plan in sales.list_plans(changes_mind))


def test_a_stop_that_is_over_before_it_was_followed_leaves_renewals_alone(till: Till) -> None:
    payer = till.customer()
    till.bought(payer, "pro")
    till.deliver()
    plan_stop.stop("pro", WHY, actor=None)
    switch(till, stopped=False)
    held = sales.current_plan(payer)
    assert held is not None
    assert (held.state, held.ends_with_period) == ("active", False)
