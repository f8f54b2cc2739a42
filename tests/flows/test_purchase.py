"""From order to paid: what is due happens once, whatever happens on the way."""

from __future__ import annotations

import datetime as dt
import threading

import msgspec
import pytest
from django.db import connections

from tests.services.money import Till, now
from tollkeeper.accounts import services as accounts
from tollkeeper.catalog import queries as catalog
from tollkeeper.delivery import targets
from tollkeeper.delivery.provisioners import Facts
from tollkeeper.flows import purchase
from tollkeeper.flows import reconcile as reconciling
from tollkeeper.payments import queries as payments
from tollkeeper.payments.models import Attempt, Document, InboxEvent, Payer
from tollkeeper.payments.providers import ProviderError
from tollkeeper.sales import queries as sales
from tollkeeper.sales import services as sales_verbs
from tollkeeper.sales.models import Order, Subscription


def order_of(till: Till, number: str) -> sales.OrderView:
    found = sales.find_order(number)
    assert found is not None
    return found


def test_a_pack_is_paid_by_event_alone(till: Till) -> None:
    number = till.order(till.customer())
    till.pay(number)
    till.deliver()
    order = order_of(till, number)
    assert (order.money, order.lifecycle, order.status) == ("paid", "open", "preparing")
    assert till.jobs("fulfil_line") == 1
    receipt = payments.get_receipt(order.customer_id, number)
    assert receipt.total_minor == order.total_minor == 500
    assert receipt.number.endswith("-000001")
    assert {e.state for e in InboxEvent.objects.all()} == {"done"}


def test_a_pack_is_paid_by_the_return_page_before_any_event(till: Till) -> None:
    number = till.order(till.customer())
    till.pay(number)
    assert purchase.reconcile(order_of(till, number).order_id).money == "paid"
    till.deliver()
    assert (till.jobs("fulfil_line"), Document.objects.count()) == (1, 1)


def test_a_lost_event_is_made_up_for_by_the_sweeper(till: Till) -> None:
    number = till.order(till.customer())
    till.courier.knobs.drop = 1.0
    till.pay(number)
    till.deliver()
    assert order_of(till, number).money == "unpaid"
    till.shift(number, dt.timedelta(minutes=20))
    reconciling.sweep_payments(None)  # type: ignore[arg-type]
    till.work()
    assert order_of(till, number).money == "paid"
    assert till.jobs("fulfil_line") == 1


def test_double_click_and_two_tabs_make_one_order_and_one_session(till: Till) -> None:
    customer = till.customer()
    first, second = till.order(customer), till.order(customer)
    assert first == second
    assert purchase.begin_payment(first) == purchase.begin_payment(second)
    assert len(list(till.engine.store.all("session"))) == 1


def test_parallel_clicks_make_one_order_and_one_session(till: Till) -> None:
    customer, seen, wrong = till.customer(), set(), []

    def click() -> None:
        try:
            number = till.order(customer)
            seen.add((number, purchase.begin_payment(number)))
        except Exception as error:  # noqa: BLE001 - shown below
            wrong.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=click) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(seen) == 1
    assert len(list(till.engine.store.all("session"))) == 1


def test_an_answer_that_is_lost_never_makes_a_second_session(till: Till) -> None:
    number = till.order(till.customer())
    till.engine.lose_next = 3  # the SDK's own retries are lost as well
    with pytest.raises(purchase.CannotPay) as no:
        purchase.begin_payment(number)
    assert no.value.code == "no_answer"
    assert Attempt.objects.get().state == "created"
    purchase.begin_payment(number)
    assert len(list(till.engine.store.all("session"))) == 1


def test_a_crash_between_intent_and_call_is_found_by_the_sweeper(till: Till) -> None:
    number = till.order(till.customer())
    till.engine.lose_next = 3
    with pytest.raises(purchase.CannotPay):
        purchase.begin_payment(number)
    till.engine.bank.pay(till.session(number), "ok")
    till.shift(number, dt.timedelta(minutes=20))
    reconciling.sweep_payments(None)  # type: ignore[arg-type]
    till.work()
    order = order_of(till, number)
    # the attempt was made older than the session: the look-up still finds it by its id
    assert order.money == "paid"


def test_an_attempt_that_never_arrived_is_given_up(till: Till) -> None:
    number = till.order(till.customer())
    till.engine.fail_next = 3
    with pytest.raises(purchase.CannotPay):
        purchase.begin_payment(number)
    till.shift(number, dt.timedelta(minutes=20))
    purchase.reconcile(order_of(till, number).order_id)
    assert Attempt.objects.get().state == "cancelled"
    purchase.begin_payment(number)
    assert Attempt.objects.filter(state="redirected").count() == 1


def test_a_declined_card_leaves_the_page_open(till: Till) -> None:
    number = till.order(till.customer())
    assert till.pay(number, "generic_decline") == "generic_decline"
    till.deliver()
    assert order_of(till, number).status == "awaiting_payment"
    assert till.engine.bank.pay(till.session(number), "ok") == "paid"
    till.deliver()
    assert order_of(till, number).money == "paid"


def test_a_debit_is_processing_until_the_bank_says_so(till: Till) -> None:
    number = till.order(till.customer())
    till.pay(number, "debit")
    till.deliver()
    assert order_of(till, number).status == "processing"
    assert till.jobs("fulfil_line") == 0
    till.engine.bank.advance(60)
    till.deliver()
    assert order_of(till, number).money == "paid"


def test_a_debit_that_fails_lets_the_customer_try_again(till: Till) -> None:
    number = till.order(till.customer())
    purchase.begin_payment(number)
    name = till.session(number)
    till.engine.store.put("hidden", name, {**till.engine.store.get("hidden", name), "debit_fails": True})
    till.engine.bank.pay(name, "debit")
    till.engine.bank.advance(60)
    till.deliver()
    assert order_of(till, number).status == "awaiting_payment"
    till.pay(number)
    till.deliver()
    assert order_of(till, number).money == "paid"
    assert sorted(Attempt.objects.values_list("state", flat=True)) == ["failed", "succeeded"]


def test_who_left_while_the_bank_was_at_work_hears_that_it_did_not_pay(
    till: Till,
    mailoutbox: list,  # type: ignore[type-arg]
) -> None:
    customer = accounts.ensure_customer(accounts.create_person("planted@example.org", None))
    number = till.order(customer)
    till.pay(number, "debit")
    till.deliver()
    assert order_of(till, number).money == "processing"
    session = till.session(number)
    hidden = till.engine.store.get("hidden", session) or {}
    till.engine.store.put("hidden", session, {**hidden, "debit_fails": True})
    till.engine.bank.advance(60)
    for _ in range(2):
        till.deliver()
        purchase.reconcile(order_of(till, number).order_id)
    (letter,) = mailoutbox
    assert "Nothing was charged" in letter.body
    assert f"/console/orders/{number}/" in letter.body


@pytest.mark.parametrize("heard", [True, False])
def test_a_customer_who_was_deleted_at_the_provider_can_buy_again(till: Till, heard: bool) -> None:
    customer = till.customer()
    till.bought(customer, "pro")
    payer = Payer.objects.get().reference
    till.courier.knobs.drop = 0.0 if heard else 1.0
    till.provider.forget(payer)
    till.deliver()
    till.courier.knobs.drop = 0.0
    assert Payer.objects.exists() is not heard
    number = till.bought(customer)
    assert order_of(till, number).status == "delivered"
    assert not Payer.objects.filter(reference=payer).exists()


def test_an_order_expires_after_its_page_is_closed(till: Till) -> None:
    number = till.order(till.customer())
    purchase.begin_payment(number)
    order = Order.objects.get(number=number)
    order.expires_at = now() - dt.timedelta(seconds=1)
    order.save()
    purchase.expire_orders(None)  # type: ignore[arg-type]
    till.work()
    assert order_of(till, number).status == "expired"
    assert till.engine.store.get("session", till.session(number))["status"] == "expired"  # type: ignore[index]
    with pytest.raises(purchase.CannotPay):
        purchase.begin_payment(number)


def test_money_that_came_first_wins_over_expiry(till: Till) -> None:
    number = till.order(till.customer())
    till.courier.knobs.drop = 1.0
    till.pay(number)
    assert purchase.end_unpaid(order_of(till, number).order_id, "expire") is False
    assert order_of(till, number).money == "paid"


def test_money_that_comes_after_expiry_reopens_the_order(till: Till) -> None:
    number = till.order(till.customer())
    till.pay(number, "debit")
    order = Order.objects.get(number=number)
    order.lifecycle, order.money = "expired", "unpaid"
    order.save()
    till.engine.bank.advance(60)
    till.deliver()
    late = order_of(till, number)
    assert (late.lifecycle, late.money) == ("open", "paid")
    assert till.jobs("fulfil_line") == 1


def test_late_money_is_not_fulfilled_where_the_policy_says_refund(till: Till) -> None:
    number = till.order(till.customer())
    till.pay(number, "debit")
    Order.objects.filter(number=number).update(lifecycle="expired", late="refund")
    till.engine.bank.advance(60)
    till.deliver()
    assert order_of(till, number).lifecycle == "expired"
    assert till.jobs("fulfil_line") == 0


def test_a_free_plan_is_paid_at_once_and_can_be_had_once(till: Till) -> None:
    customer = till.customer()
    number = till.order(customer, "free")
    assert purchase.begin_payment(number).endswith(f"/checkout/{number}/return")
    order = order_of(till, number)
    assert (order.money, order.lines[0].starts_at is not None) == ("paid", True)
    assert till.jobs("fulfil_line") == 1
    assert Document.objects.count() == 0
    assert till.engine.requests == []
    with pytest.raises(sales_verbs.CannotOrder):
        till.order(customer, "free")


def test_a_monthly_plan_begins_a_subscription_with_its_first_period(till: Till) -> None:
    customer = till.customer()
    number = till.order(customer, "pro")
    till.pay(number)
    till.deliver()
    order = order_of(till, number)
    assert order.money == "paid"
    plan = sales.current_plan(customer)
    assert plan is not None
    assert (plan.plan, plan.state) == ("pro", "active")
    line = order.lines[0]
    assert (line.starts_at, line.ends_at) == (plan.starts_at, plan.ends_at)
    assert 28 <= (plan.ends_at - plan.starts_at).days <= 31  # type: ignore[operator]
    with pytest.raises(sales_verbs.CannotOrder):
        till.order(customer, "pro")


def test_a_second_subscription_of_the_same_plan_waits_for_a_person(till: Till) -> None:
    customer = till.customer()
    first = till.order(customer, "pro")
    till.pay(first, "debit")
    second = till.order(customer, "pro") if order_of(till, first).money != "unpaid" else first
    till.deliver()
    second = till.order(customer, "pro")
    assert second != first
    till.pay(second)
    till.deliver()
    till.engine.bank.advance(60)
    till.deliver()
    assert Subscription.objects.count() == 1
    assert order_of(till, first).money == "refunded"
    assert till.jobs("fulfil_line") == 1


def test_events_twice_shuffled_and_late_change_nothing(till: Till) -> None:
    till.courier.knobs.set({"duplicate": 1.0, "reorder": 1.0})
    numbers = [till.order(till.customer()) for _ in range(3)]
    for number in numbers:
        till.pay(number)
    till.deliver()
    till.deliver()
    assert {order_of(till, n).money for n in numbers} == {"paid"}
    assert till.jobs("fulfil_line") == 3
    labels = sorted(d.label for d in Document.objects.all())
    assert [label[-6:] for label in labels] == ["000001", "000002", "000003"]


def test_nothing_of_a_person_goes_to_the_provider(till: Till) -> None:
    number = till.order(till.customer(), "pro")
    sent: list[str] = []
    serve = till.engine.serve
    till.engine.serve = lambda m, u, h, b="": (sent.append(b), serve(m, u, h, b))[1]  # type: ignore[method-assign, assignment, func-returns-value]
    purchase.begin_payment(number)
    assert sent
    assert not any("email" in body or "%40" in body or "billing" in body for body in sent)


def test_a_cancelled_order_frees_the_offer(till: Till) -> None:
    customer = till.customer()
    number = till.order(customer)
    purchase.begin_payment(number)
    assert purchase.cancel_order(customer, number) is True
    assert order_of(till, number).status == "cancelled"
    assert till.order(customer) != number


def test_an_unreachable_provider_leaves_everything_as_it_was(till: Till) -> None:
    number = till.order(till.customer())
    till.pay(number)
    before = Order.objects.get(number=number)
    till.engine.fail_next = 3
    with pytest.raises(ProviderError):
        purchase.reconcile(before.pk)
    assert Order.objects.get(number=number).version == before.version


def test_a_newer_view_is_never_overwritten_by_an_older_one(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = till.order(till.customer())
    purchase.begin_payment(number)
    order_id = order_of(till, number).order_id
    fetch, calls = till.provider.fetch, []

    def slow(ask):  # type: ignore[no-untyped-def]
        facts = fetch(ask)
        if not calls:
            calls.append(1)
            till.engine.bank.pay(till.session(number), "ok")
            purchase.reconcile(order_id)  # another worker, faster
        return facts

    monkeypatch.setattr(till.provider, "fetch", slow)
    assert purchase.reconcile(order_id).money == "paid"
    assert till.jobs("fulfil_line") == 1


def test_the_receipt_is_sent_once(till: Till, mailoutbox: list) -> None:  # type: ignore[type-arg]
    person = accounts.create_person("planted@example.org", None)
    number = till.order(accounts.ensure_customer(person))
    till.pay(number)
    till.deliver()
    till.deliver()
    till.work(also={"mail_receipt"})
    receipt = payments.get_receipt(order_of(till, number).customer_id, number)
    (mail,) = mailoutbox
    assert mail.to == ["planted@example.org"]
    assert receipt.number in mail.subject
    assert "$5.00" in mail.body
    assert f"/console/orders/{number}/" in mail.body
    assert "planted" not in str(list(Document.objects.values()))


def test_nothing_is_sold_from_a_relay_that_is_closed(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed probe stops new orders; a good one lets them in again."""
    customer = till.customer()
    plans = {plan.slug: msgspec.structs.replace(plan, target="east") for plan in catalog.list_plans()}
    monkeypatch.setattr(catalog, "get_plan", lambda slug, language="en": plans[slug])
    targets.keep_probe("east", None, "no_answer")
    with pytest.raises(sales_verbs.CannotOrder) as refused:
        till.order(customer)
    assert refused.value.code == "not_sold"
    assert not Order.objects.exists()
    targets.keep_probe("east", Facts("1", "USD", frozenset(), chooses_secret=True, reads_secret=True))
    assert till.order(customer)
