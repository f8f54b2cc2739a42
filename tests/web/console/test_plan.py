"""A plan is looked at, changed, ended, kept: by its owner, with the sum seen first."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.services.money import price_of
from tests.web.story import Story
from tollkeeper.payments.providers import Unsure
from tollkeeper.sales import queries as sales
from tollkeeper.web.console import plan as pages


@pytest.fixture
def number(story: Story) -> str:
    held = sales.current_plan(story.customer_id)
    assert held is not None
    return held.subscription


def test_cancelling_asks_first_and_can_be_taken_back(story: Story, number: str) -> None:
    client = story.client(story.owner)
    page = client.get(reverse("console_plan", args=[number])).content.decode()
    assert "$29.00" in page
    assert "Next payment" in page
    client.get(reverse("console_plan_cancel", args=[number]))
    held = sales.current_plan(story.customer_id)
    assert held is not None
    assert not held.ends_with_period, "asking decides nothing"
    page = client.post(reverse("console_plan_cancel", args=[number]), follow=True).content.decode()
    assert "does not renew" in page
    page = client.post(reverse("console_plan_keep", args=[number]), follow=True).content.decode()
    assert "goes on as it is" in page
    assert "does not renew" not in page


def test_a_plan_rests_and_goes_on(story: Story, number: str) -> None:
    client = story.client(story.owner)
    url = reverse("console_plan_pause", args=[number])
    assert "Your plan rests" in client.post(url, follow=True).content.decode()
    assert "Your plan goes on" in client.post(url, follow=True).content.decode()
    client.post(reverse("console_plan_cancel", args=[number]))
    assert "is not active" in client.post(url, follow=True).content.decode()


def test_the_card_is_changed_at_the_provider(
    story: Story, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = story.client(story.owner)
    url = reverse("console_plan_payment", args=[number])
    assert client.get(url).status_code == 405
    assert client.post(url)["Location"].startswith("http")

    def silent(*_: object, **__: object) -> str:
        raise Unsure("no answer")

    monkeypatch.setattr(pages.renewal, "portal_url", silent)
    assert "cannot show its page" in client.post(url, follow=True).content.decode()


def test_a_plan_that_rested_beyond_its_period_shows_what_going_on_costs(story: Story, number: str) -> None:
    client, till = story.client(story.owner), story.till
    client.post(reverse("console_plan_pause", args=[number]))
    till.deliver()
    till.age_plan(story.customer_id, 45)
    url = reverse("console_plan_resume", args=[number])
    page = client.get(reverse("console_plan", args=[number])).content.decode()
    assert url in page
    assert "Go on now for $" in page
    assert "/c/pay/" in client.post(url)["Location"]
    client.post(reverse("console_plan_pause", args=[number]))
    assert "does not rest" in client.post(url, follow=True).content.decode()


def test_an_overdue_plan_is_paid_by_hand(story: Story, number: str) -> None:
    client, till = story.client(story.owner), story.till
    url = reverse("console_plan_pay", args=[number])
    assert url not in client.get(reverse("console_plan", args=[number])).content.decode()
    (sub,) = till.engine.store.all("subscription")
    till.engine.bank.use_card(sub["id"], "declines_later")
    till.engine.bank.advance(32 * 86_400)
    till.deliver()
    page = client.get(reverse("console_plan", args=[number])).content.decode()
    assert url in page
    assert "the plan is suspended on" in page
    assert "/i/in_" in client.post(url)["Location"]


def test_a_change_to_the_same_or_to_nothing_is_refused(story: Story, number: str) -> None:
    client = story.client(story.owner)
    same = reverse("console_plan_switch", args=[number, "pro", price_of("pro")])
    assert "the plan you have" in client.get(same, follow=True).content.decode()
    for plan, price in (("nothing", "x"), ("pro", "nothing")):
        url = reverse("console_plan_switch", args=[number, plan, price])
        assert client.get(url, headers={"Accept": "text/html"}).status_code == 404


def test_nobody_else_reaches_a_plan(story: Story, number: str) -> None:
    client = story.client(story.other)
    for name in ("console_plan_keep", "console_plan_payment", "console_plan_cancel"):
        assert client.post(reverse(name, args=[number])).status_code == 404
    held = sales.current_plan(story.customer_id)
    assert held is not None
    assert not held.ends_with_period
