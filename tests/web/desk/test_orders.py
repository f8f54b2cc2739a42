"""Orders on the desk: found by number, asked about, told by pseudonym."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.web.story import Story
from tollkeeper.kit import audit
from tollkeeper.kit.trail.models import Entry
from tollkeeper.payments import queries as payments
from tollkeeper.payments.providers import Unsure


def test_found_by_number(story: Story) -> None:
    desk = story.client(story.staff)
    url = reverse("desk_orders")
    assert desk.get(url, {"number": story.number.lower()})["Location"].endswith(f"{story.number}/")
    page = desk.get(url, {"number": "TK-NONE"}).content.decode()
    assert "There is no order TK-NONE" in page
    assert story.number not in desk.get(url, {"held": "1"}).content.decode()


def test_asking_the_provider(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = story.client(story.staff)
    url = reverse("desk_order_ask", args=[story.number])
    assert "up to date" in desk.post(url, follow=True).content.decode()

    def silent(*_: object, **__: object) -> None:
        raise Unsure("no answer")

    story.till.pay(story.unpaid)
    monkeypatch.setattr(type(story.till.provider), "fetch", silent)
    answer = desk.post(reverse("desk_order_ask", args=[story.unpaid]), follow=True)
    assert "did not answer" in answer.content.decode()


def test_a_customer_is_found_by_number(story: Story) -> None:
    desk = story.client(story.staff)
    number = story.owner.customer.public_id
    assert desk.get(reverse("desk_customers"), {"number": number})["Location"].endswith(f"{number}/")
    assert "There is no customer" in desk.get(reverse("desk_customers"), {"number": "cus_x"}).content.decode()
    page = desk.get(reverse("desk_customer", args=[number])).content.decode()
    assert story.number in page


def test_money_goes_back_by_the_desk(story: Story) -> None:
    desk = story.client(story.staff)
    url = reverse("desk_order_refund", args=[story.number])
    for amount, words in (
        ("a lot", "no amount"),
        ("1000.00", "more than is left"),
        ("0", "more than is left"),
    ):
        page = desk.post(url, {"amount": amount}, follow=True).content.decode()
        assert words in page, amount
    assert "on its way" in desk.post(url, {"amount": "9.00"}, follow=True).content.decode()
    assert "on its way" in desk.post(url, {}, follow=True).content.decode()
    story.till.work()
    story.till.deliver()
    page = desk.get(reverse("desk_order", args=[story.number])).content.decode()
    assert "$9.00" in page
    assert "$20.00" in page
    assert "Everything went back" in desk.post(url, {}, follow=True).content.decode()
    unpaid = desk.post(reverse("desk_order_refund", args=[story.unpaid]), {}, follow=True).content.decode()
    assert "Nothing was paid" in unpaid


def test_letting_a_held_order_go_on(story: Story) -> None:
    desk = story.client(story.staff)
    answer = desk.post(reverse("desk_order_clear", args=[story.number]), follow=True)
    assert "The order goes on" in answer.content.decode()


def test_money_that_cannot_pay_is_shown_and_sent_back(story: Story) -> None:
    desk, till = story.client(story.staff), story.till
    till.pay(story.unpaid)
    session = till.engine.store.get("session", till.session(story.unpaid))
    assert session is not None
    session["currency"] = "eur"
    desk.post(reverse("desk_order_ask", args=[story.unpaid]))
    page = desk.get(reverse("desk_order", args=[story.unpaid])).content.decode()
    assert "cannot pay an order of $5.00" in page
    assert "Let it go on" not in page
    clear = reverse("desk_order_clear", args=[story.unpaid])
    assert "send it back instead" in desk.post(clear, follow=True).content.decode()
    back = reverse("desk_order_strays", args=[story.unpaid])
    assert "on its way" in desk.post(back, follow=True).content.decode()
    assert "Everything went back" in desk.post(back, follow=True).content.decode()
    entry = Entry.objects.get(verb="refund.requested")
    assert entry.actor == audit.find_pseudonym(story.staff.pk)


def test_a_refund_that_failed_is_a_task_until_it_went_another_way(story: Story) -> None:
    desk, till = story.client(story.staff), story.till
    till.pay(story.unpaid, "refund_fails")
    till.deliver()
    till.hand_over()
    desk.post(reverse("desk_order_refund", args=[story.unpaid]))
    till.work()
    till.engine.bank.advance(60)
    till.deliver()
    assert "Refund that failed" in desk.get(reverse("desk")).content.decode()
    page = desk.get(reverse("desk_order", args=[story.unpaid])).content.decode()
    assert "It went back another way" in page
    (row,) = payments.failed_refunds()
    url = reverse("desk_refund_otherwise", args=[story.unpaid, row.refund_id])
    assert "the money went back" in desk.post(url, follow=True).content.decode()
    assert "Everything went back" in desk.post(url, follow=True).content.decode()
    assert "Refund that failed" not in desk.get(reverse("desk")).content.decode()
    other = reverse("desk_refund_otherwise", args=[story.number, row.refund_id])
    assert desk.post(other).status_code == 404


def test_a_warning_of_fraud_is_a_task_with_two_ways(story: Story) -> None:
    desk, till = story.client(story.staff), story.till
    till.pay(story.unpaid, "fraud_warning")
    till.deliver()
    till.engine.bank.advance(60)
    till.deliver()
    assert "Warning of fraud" in desk.get(reverse("desk")).content.decode()
    page = desk.get(reverse("desk_order", args=[story.unpaid])).content.decode()
    assert "takes the payment for fraud" in page
    url = reverse("desk_order_trust", args=[story.unpaid])
    assert "The money is kept" in desk.post(url, follow=True).content.decode()
    page = desk.get(reverse("desk_order", args=[story.unpaid])).content.decode()
    assert "takes the payment for fraud" not in page
    assert "Warning of fraud" not in desk.get(reverse("desk")).content.decode()


def test_the_desk_has_the_unused_part_paid_back(story: Story) -> None:
    desk, till = story.client(story.staff), story.till
    number = till.order(story.customer_id, "pack-10k")
    till.pay(number)
    till.deliver()
    till.hand_over()
    url = reverse("desk_order_unspent", args=[number])
    assert url in desk.get(reverse("desk_order", args=[number])).content.decode()
    page = desk.post(url, follow=True).content.decode()
    assert "It is stopped" in page
    assert "being counted" in page
    assert "cannot be refunded" in desk.post(url, follow=True).content.decode()
    plan = reverse("desk_order_unspent", args=[story.number])
    assert plan not in desk.get(reverse("desk_order", args=[story.number])).content.decode()
