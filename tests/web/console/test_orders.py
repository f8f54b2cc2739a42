"""A customer gives back what is left of an order, as long as the plan said."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tests.web.story import Story
from tollkeeper.accounts.services import ensure_customer
from tollkeeper.flows import unspent
from tollkeeper.flows.refund import CannotRefund
from tollkeeper.sales import queries as sales


@pytest.fixture
def pack(story: Story) -> str:
    """The number of a pack that ``other`` may give back."""
    shop = story.till.folder / "shop.toml"
    shop.write_text(
        shop.read_text().replace("[plans.pack-10k]\n", '[plans.pack-10k]\nrefund_unspent = "14d"\n')
    )
    story.till.reload()
    number = story.till.order(buyer(story), "pack-10k")
    story.till.pay(number)
    story.till.deliver()
    story.till.hand_over()
    return number


def buyer(story: Story) -> int:
    return ensure_customer(story.other)


def say(client: Client, number: str) -> str:
    return client.get(reverse("console_order", args=[number])).content.decode()


def test_the_way_back(story: Story, pack: str) -> None:
    client = story.client(story.other)
    ask = reverse("console_give_back", args=[pack])
    assert ask in say(client, pack)
    assert "stops at once and for good" in client.get(ask).content.decode()
    assert sales.get_order(buyer(story), pack).money == "paid", "asking changes nothing"
    page = client.post(ask, follow=True).content.decode()
    assert "Its key is stopped" in page
    assert ask not in page
    for _ in range(3):
        story.till.wake()
        story.till.work()
        story.till.deliver()
    assert sales.get_order(buyer(story), pack).refunded_minor == 500
    page = say(client, pack)
    assert "Its key is stopped" not in page
    assert "Refunded" in page
    assert client.post(ask, follow=True).status_code == 200, "asking again changes nothing"


def test_what_was_not_promised_is_not_offered(story: Story) -> None:
    client = story.client(story.owner)
    ask = reverse("console_give_back", args=[story.number])
    assert ask not in say(client, story.number)
    assert "cannot be given back" in client.post(ask, follow=True).content.decode()
    assert sales.get_order(story.customer_id, story.number).money == "paid"


def test_nobody_gives_back_what_is_somebody_elses(story: Story, pack: str) -> None:
    assert story.client(story.owner).post(reverse("console_give_back", args=[pack])).status_code == 404
    assert sales.get_order(buyer(story), pack).refunded_minor == 0


def test_a_race_with_another_refund_is_told(story: Story, pack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise CannotRefund("nothing_left")

    monkeypatch.setattr(unspent, "give_back", refuse)
    answer = story.client(story.other).post(reverse("console_give_back", args=[pack]), follow=True)
    assert "cannot be given back" in answer.content.decode()
