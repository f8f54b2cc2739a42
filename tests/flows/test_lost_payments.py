"""What was paid after a backup is found at the provider once that backup is the book again."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from tests.services.money import Till
from tests.web.desk.test_authorities import operator
from tollkeeper.flows import lost_payments
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.payments.models import Attempt, Document, DocumentBuyer, InboxEvent, Payer
from tollkeeper.payments.providers import Unsure
from tollkeeper.sales.models import Order, OrderLine

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)


@pytest.fixture(autouse=True)
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_policy(settings.SHOP / "policy.toml")
    monkeypatch.setattr(lost_payments, "_path", lambda: tmp_path / "restored.json")


def as_in_the_backup(number: str) -> None:
    """The order is there, and nothing of its payment."""
    order = Order.objects.get(number=number)
    for model in (DocumentBuyer, Document, Payer):
        model._base_manager.all()._raw_delete("default")
    Attempt.objects.filter(order=order).delete()
    InboxEvent.objects.all().delete()
    Order.objects.filter(pk=order.pk).update(
        lifecycle="open", money="unpaid", captured_minor=0, paid_at=None, version=0
    )


def test_a_payment_for_a_known_order_is_brought_in(till: Till) -> None:
    number = till.order(till.customer(), "pack-10k")
    till.pay(number)  # paid there; no event came
    as_in_the_backup(number)
    found = lost_payments.look(timezone.now() - dt.timedelta(hours=1))
    assert (found.brought_in, found.unknown, found.unasked) == (1, (), ())
    assert Order.objects.get(number=number).money == "paid"
    again = lost_payments.look(timezone.now() - dt.timedelta(hours=1))
    assert (again.brought_in, again.unknown) == (0, ())
    till.hand_over()
    assert Order.objects.get(number=number).captured_minor > 0


def test_money_for_an_order_that_nobody_knows_is_shown_to_somebody(till: Till) -> None:
    number = till.order(till.customer(), "pack-10k")
    till.pay(number)
    as_in_the_backup(number)
    OrderLine.objects.all().delete()
    Order.objects.all().delete()
    lost_payments.ask_for(timezone.now() - dt.timedelta(hours=1))
    till.work()
    found = lost_payments.last_look()
    assert found is not None
    (row,) = found.unknown
    assert (row.order, row.provider, row.amount_minor > 0) == (number, "stripe", True)
    desk, _ = operator("one")
    page = desk.get("/desk/backups/").content.decode()
    assert row.reference in page
    assert desk.post("/desk/backups/payments/").status_code == 302
    assert Client().get("/desk/backups/").status_code == 302


def test_a_provider_that_does_not_answer_is_asked_again(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    number = till.order(till.customer(), "pack-10k")
    till.pay(number)
    as_in_the_backup(number)
    real, cuts = till.provider.taken, iter(range(2))

    def cut(since: dt.datetime) -> object:
        if next(cuts, None) is not None:
            raise Unsure("cut")
        return real(since)

    monkeypatch.setattr(till.provider, "taken", cut)
    lost_payments.ask_for(timezone.now() - dt.timedelta(hours=1))
    till.work()
    found = lost_payments.last_look()
    assert found is not None
    assert found.unasked == ("stripe",)
    for _ in range(2):
        till.wake()
        till.work()
    found = lost_payments.last_look()
    assert found is not None
    assert (found.unasked, found.brought_in) == ((), 1)


def test_nothing_was_looked_for_yet(till: Till) -> None:
    assert lost_payments.last_look() is None
    desk, _ = operator("one")
    assert "None yet" in desk.get("/desk/backups/").content.decode()
    desk.post("/desk/backups/payments/")
