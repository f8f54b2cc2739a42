"""The next period of a plan carries the tax of its first day: told before, collected to the cent."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from tests.services.money import Till, price_of
from tollkeeper.accounts import services as accounts
from tollkeeper.core.discounts import Discount
from tollkeeper.core.money import tax_inside
from tollkeeper.core.tax import decide
from tollkeeper.flows import plan_change, purchase, renewal, renewal_tax, resuming, taxes
from tollkeeper.kit.models import Job
from tollkeeper.payments import buyers
from tollkeeper.payments import queries as payments
from tollkeeper.payments.providers import Unsure
from tollkeeper.sales import coupons, plans, queries, records
from tollkeeper.sales.models import Order, PlanChange

DAY = 86_400
YEARS = dt.timedelta(days=4_000)


@pytest.fixture(autouse=True)
def in_sight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every next period is near enough to be looked at."""
    monkeypatch.setattr(renewal_tax, "AHEAD", YEARS)


def rates(till: Till, mode: str, **percent: str) -> None:
    """Put a table of rates into effect."""
    file = till.folder / "shop.toml"
    table = ", ".join(f'{country} = "{rate}"' for country, rate in percent.items())
    tax = f'[tax]\nmode = "{mode}"\nrates = {{ {table} }}\n\n'
    file.write_text(re.sub(r"(?s)^\[tax\]\n.*?\n\n", tax, file.read_text(), flags=re.M))
    till.reload()


def subscriber(till: Till, **buyer: str) -> int:
    """Somebody who can be written to and has a plan."""
    customer = accounts.ensure_customer(accounts.create_person("planted@example.org", None))
    if buyer:
        place(customer, **buyer)
    till.bought(customer, "pro")
    return customer


def place(customer: int, country: str, vat_id: str = "") -> None:
    taxes.save_buyer(customer, name="Planted GmbH", address="Street 1", country=country, vat_id=vat_id)


def look(till: Till) -> None:
    """The look of another day."""
    Job.objects.filter(kind="reckon_tax").delete()
    renewal_tax.watch_taxes(None)  # type: ignore[arg-type]
    till.work()


def next_month(till: Till, customer: int | None = None) -> Order:
    till.engine.bank.advance(31 * DAY)
    till.deliver()
    rows = Order.objects.filter(kind="renewal")
    return (rows.filter(customer_id=customer) if customer else rows).latest("pk")


def unsure(*_: Any) -> None:
    raise Unsure("timeout")


def sums(order: Order) -> tuple[int, int, int, str, str, str]:
    line = order.lines.get()
    assert (line.amount_minor, line.tax_minor) == (order.total_minor, order.tax_minor)
    assert order.captured_minor == order.total_minor
    return order.total_minor, order.tax_minor, line.tax_bp, order.tax_note, order.review, order.money


def test_a_new_rate_inside_the_same_price_is_nobodys_news(till: Till, mailoutbox: list[Any]) -> None:
    rates(till, "inclusive", IE="23")
    subscriber(till)
    rates(till, "inclusive", IE="21")
    look(till)
    assert sums(next_month(till)) == (2900, 503, 2100, "", "", "paid")
    assert not mailoutbox
    assert not PlanChange.objects.filter(state="requested").exists()


def test_a_rise_is_told_before_it_is_collected(till: Till, mailoutbox: list[Any]) -> None:
    rates(till, "exclusive", IE="20")
    customer = subscriber(till)
    plan = queries.current_plan(customer)
    assert plan is not None
    rates(till, "exclusive", IE="25")
    look(till)
    look(till)
    (letter,) = mailoutbox
    assert "$36.25" in letter.subject
    assert "$34.80" in letter.body
    assert f"/console/plans/{plan.subscription}/" in letter.body
    assert records.next_minor(plan.subscription_id) == 3625
    (sub,) = till.engine.store.all("subscription")
    assert sub["items"]["data"][0]["price"]["unit_amount"] == 3625
    assert Order.objects.get().total_minor == 3480
    assert sums(next_month(till)) == (3625, 725, 2500, "", "", "paid")
    assert sums(next_month(till)) == (3625, 725, 2500, "", "", "paid")
    assert len(mailoutbox) == 1


def test_a_rise_that_comes_too_late_waits_a_period(
    till: Till, mailoutbox: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rates(till, "exclusive", IE="20")
    subscriber(till)
    rates(till, "exclusive", IE="25")
    with monkeypatch.context() as late:
        late.setattr(renewal_tax, "NOTICE", YEARS)
        look(till)
        assert sums(next_month(till)) == (3480, 696, 2500, "", "", "paid")
        assert not mailoutbox
    look(till)
    assert sums(next_month(till)) == (3625, 725, 2500, "", "", "paid")
    assert len(mailoutbox) == 1


def test_what_falls_falls_however_late(
    till: Till, mailoutbox: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal_tax, "NOTICE", YEARS)
    rates(till, "exclusive", IE="25")
    subscriber(till)
    rates(till, "exclusive", IE="20")
    look(till)
    assert sums(next_month(till)) == (3480, 580, 2000, "", "", "paid")
    assert len(mailoutbox) == 1


def test_a_number_that_was_found_valid_moves_the_tax_with_the_next_period(till: Till) -> None:
    rates(till, "inclusive", IE="23", AT="20")
    customer = subscriber(till, country="AT")
    assert Order.objects.get().total_minor == 2900
    place(customer, country="AT", vat_id="ATU12345678")
    buyers.note_vat(customer, True, timezone.now())
    taxes.reckon_again(customer, timezone.now())
    till.work()
    order = next_month(till)
    assert sums(order) == (2358, 0, 0, "reverse_charge", "", "paid")
    receipt = payments.get_receipt(customer, order.number)
    assert receipt.facts["tax_note"] == "reverse_charge"
    frozen = buyers.buyer_of(receipt.document_id)
    assert (frozen["vat_id"], frozen["vat_state"]) == ("ATU12345678", "valid")
    assert frozen["vat_checked_at"]
    first = payments.get_receipt(customer, Order.objects.get(kind="purchase").number)
    assert first.facts["tax_note"] == ""
    assert first.tax_minor == 483


def test_an_old_answer_of_the_register_is_asked_for_again(
    till: Till, mailoutbox: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "VIES_API", "http://vies.invalid")
    monkeypatch.setattr(taxes.egress, "session", lambda *_: None)
    asked: list[str] = []
    monkeypatch.setattr(taxes.vies, "ask", lambda _s, _b, number: asked.append(number) or len(asked) < 2)
    rates(till, "exclusive", IE="23", AT="20")
    customer = accounts.ensure_customer(accounts.create_person("planted@example.org", None))
    place(customer, country="AT", vat_id="ATU12345678")
    till.work()
    till.bought(customer, "pro")
    assert Order.objects.get().total_minor == 2900
    look(till)
    assert len(asked) == 1
    buyers.note_vat(customer, True, timezone.now() - dt.timedelta(days=9))
    look(till)
    assert asked == ["ATU12345678"] * 2
    assert len(mailoutbox) == 1
    assert sums(next_month(till)) == (3480, 580, 2000, "", "", "paid")


def test_a_provider_that_was_not_told_in_time_leaves_the_order_held(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates(till, "exclusive", IE="20")
    subscriber(till)
    rates(till, "exclusive", IE="25")
    with monkeypatch.context() as silent:
        silent.setattr(till.provider, "change", unsure)
        look(till)
    order = next_month(till)
    assert (order.total_minor, order.captured_minor, order.review) == (3625, 3480, "amount")
    till.wake()
    till.work()
    assert sums(next_month(till)) == (3625, 725, 2500, "", "", "paid")


def test_what_changes_after_a_period_began_is_for_the_next(till: Till) -> None:
    rates(till, "exclusive", IE="20")
    customer = subscriber(till)
    till.age_plan(customer, days=40)  # its end was long ago, and its money has not come
    rates(till, "exclusive", IE="25")
    look(till)
    plan = queries.current_plan(customer)
    assert plan is not None
    assert plan.ends_at is not None
    PlanChange.objects.filter(kind="tax").update(created_at=plan.ends_at + dt.timedelta(days=1))
    with transaction.atomic():
        row = plans.lock_plan(plan.subscription_id)
        inside = plan.ends_at + dt.timedelta(hours=1)
        order, _ = plans.renew(row, instant=inside, source="in_late", now=timezone.now())
    assert (order.total_minor, order.tax_minor) == (3480, 580)
    assert PlanChange.objects.get(kind="tax").state == "requested"


def test_a_downgrade_that_waits_is_taxed_like_what_it_becomes(till: Till, mailoutbox: list[Any]) -> None:
    rates(till, "exclusive", IE="20")
    customer = subscriber(till)
    till.age_plan(customer, days=15)
    name = queries.list_plans(customer)[0].subscription
    till.pay(plan_change.change_plan(customer, name, "business", price_of("business")))
    till.deliver()
    plan_change.change_plan(customer, name, "pro", price_of("pro"))
    till.work()
    rates(till, "exclusive", IE="25")
    look(till)
    assert "$36.25" in mailoutbox[-1].subject
    assert queries.list_plans(customer)[0].pending_plan == "Pro"
    assert sums(next_month(till)) == (3625, 725, 2500, "", "", "paid")


def test_who_stays_after_all_pays_the_tax_of_the_day(till: Till) -> None:
    rates(till, "exclusive", IE="20")
    customer = subscriber(till)
    name = queries.list_plans(customer)[0].subscription
    renewal.cancel_plan(customer, name)
    rates(till, "exclusive", IE="25")
    look(till)
    assert not PlanChange.objects.exists()
    renewal.keep_plan(customer, name)
    till.work()
    assert sums(next_month(till)) == (3625, 725, 2500, "", "", "paid")


def test_the_rest_of_a_period_is_taxed_when_it_begins(till: Till) -> None:
    rates(till, "exclusive", IE="20")
    customer = subscriber(till)
    name = queries.list_plans(customer)[0].subscription
    renewal.pause_plan(customer, name)
    till.deliver()
    till.age_plan(customer, days=45)
    rates(till, "exclusive", IE="25")
    number = resuming.go_on(customer, name)
    till.pay(number)
    till.deliver()
    order = Order.objects.get(number=number)
    line = order.lines.get()
    assert line.tax_bp == 2500
    assert order.tax_minor == pytest.approx(order.total_minor / 5, abs=1)
    plan = queries.list_plans(customer)[0]
    assert records.next_minor(plan.subscription_id) == 3625


@pytest.mark.parametrize(
    ("mode", "before", "after"),
    [("exclusive", 1_999, 2_533), ("inclusive", 2_533, 7)],
)
def test_what_is_invoiced_is_what_is_collected(till: Till, mode: str, before: int, after: int) -> None:
    rates(till, mode, IE=f"{before / 100:.2f}")
    bought: dict[int, tuple[str, int]] = {}
    for off in (Discount(percent_bp=3_333), Discount(amount_minor=333, currency="USD")):
        customer = till.customer()
        code = f"OFF-{customer}"
        coupons.make(code, off, duration="forever")
        number = purchase.start_order(customer, "pro", price_of("pro"), coupon=code)
        till.pay(number)
        bought[customer] = number, 2900 - off.off(2900)
    till.deliver()
    rates(till, mode, IE=f"{after / 100:.2f}")
    look(till)
    next_month(till)
    for customer, (number, wanted) in bought.items():
        renewed = Order.objects.get(kind="renewal", customer_id=customer)
        for order, bp in ((Order.objects.get(number=number), before), (renewed, after)):
            total, tax = decide(mode, {"IE": bp}, "IE").of(wanted)
            assert sums(order) == (total, tax, bp, "", "", "paid")


@given(st.integers(1, 10**8), st.integers(0, 10_000), st.integers(0, 10_000), st.booleans())
def test_a_coupon_of_before_takes_off_what_it_would_today(
    price: int, off_bp: int, rate: int, exclusive: bool
) -> None:
    tax = decide("exclusive" if exclusive else "inclusive", {"IE": rate}, "IE")
    off = Discount(percent_bp=off_bp).off(price) if off_bp else 0
    whole, (total, inside) = tax.of(price)[0], tax.of(price - off)
    assert tax_inside(whole - (whole - total), rate) == inside
