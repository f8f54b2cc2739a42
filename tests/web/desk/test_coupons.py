"""Coupons and codes are made at the desk and used by customers."""

from __future__ import annotations

from django.urls import reverse

from tests.services.money import price_of
from tests.web.story import Story
from tollkeeper.sales import coupons
from tollkeeper.sales import queries as sales


def test_a_coupon_from_the_desk_to_the_checkout(story: Story) -> None:
    desk, client = story.client(story.staff), story.client(story.other)
    url = reverse("desk_coupons")
    assert "off either" in desk.post(url, {"code": "SPRING"}).content.decode()
    assert "is made" in desk.post(url, {"code": "spring", "percent": "10"}, follow=True).content.decode()
    assert "SPRING already" in desk.post(url, {"code": "spring", "amount": "1.00"}).content.decode()
    buy = reverse("checkout", args=["pack-10k", price_of("pack-10k")])
    page = client.get(buy, {"quantity": "2", "coupon": "spring"}).content.decode()
    assert "$9.00" in page
    assert "no such coupon" in client.get(buy, {"coupon": "none"}).content.decode()
    assert "cannot be ordered" in client.get(buy, {"quantity": "-1"}).content.decode()
    assert client.post(buy, {"quantity": "many"}).status_code == 409
    client.post(buy, {"quantity": "2", "coupon": "spring"})
    (order,) = sales.list_orders(story.other.customer.pk)
    assert order.total_minor == 900
    (row,) = coupons.list_coupons()
    assert row.used_count == 1
    desk.post(reverse("desk_coupon_cancel", args=[row.coupon_id]))
    assert coupons.list_coupons()[0].cancelled


def test_codes_from_the_desk_to_the_balance(story: Story) -> None:
    desk, client = story.client(story.staff), story.client(story.other)
    facts = {"label": "fair", "count": "2", "unit": "calls", "amount": "50"}
    url = reverse("desk_codes")
    answer = desk.post(url, facts)
    first, second = answer.content.decode().split()
    assert desk.post(url, facts).status_code == 422
    assert desk.post(url, {**facts, "label": "x", "unit": "nothing"}).status_code == 422
    redeem = reverse("console_redeem")
    assert "are yours" in client.post(redeem, {"code": first.lower()}, follow=True).content.decode()
    assert story.till.spendable(story.other.customer.pk) == 50
    assert "used already" in client.post(redeem, {"code": first}, follow=True).content.decode()
    assert "of this kind" in client.post(redeem, {"code": second}, follow=True).content.decode()
    assert "no such code" in client.post(redeem, {"code": "x"}, follow=True).content.decode()
    assert "fair" in desk.get(reverse("desk_coupons")).content.decode()
