"""From a plan to the provider's page and back, on every path people take."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from tests.services.money import price_of
from tests.web.story import Story
from tollkeeper.payments.providers import Unsure
from tollkeeper.sales import queries as sales

HTML = {"Accept": "text/html"}


def buy(plan: str) -> str:
    return reverse("checkout", args=[plan, price_of(plan)])


def test_a_stranger_is_led_through_sign_up_and_back(story: Story) -> None:
    client = story.client()
    answer = client.get(buy("pro"))
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_signup"))
    page = client.get(answer["Location"]).content.decode()
    assert "Pro" in page
    assert "$29" in page, "the plan that waits is shown at sign-up"
    assert client.get(reverse("account_login")).content.decode().count("$29") == 1, "and at sign-in"


def test_the_summary_is_shown_and_nothing_is_ordered_by_looking(story: Story) -> None:
    client = story.client(story.other)
    page = client.get(buy("pro")).content.decode()
    assert "Order and pay $29.00" in page
    assert "Renews every month" in page
    assert not client.get(reverse("console_orders")).content.decode().count("TK-")


def test_ordering_leaves_for_the_payment_page_once_per_offer(story: Story) -> None:
    client = story.client(story.other)
    first, second = client.post(buy("pack-10k")), client.post(buy("pack-10k"))
    assert first.status_code == second.status_code == 302
    assert first["Location"] == second["Location"], "two clicks, one order, one page"


@pytest.mark.parametrize("path", ["/buy/pro/nothing/", "/buy/nothing/x/", "/buy/free/usd-99/"])
def test_what_is_not_offered_is_not_found(story: Story, path: str) -> None:
    assert story.client(story.other).get(path, headers=HTML).status_code == 404
    assert story.client(story.other).post(path, headers=HTML).status_code == 404


def test_a_plan_one_has_is_refused_in_words(story: Story) -> None:
    answer = story.client(story.owner).post(buy("pro"))
    assert answer.status_code == 409
    assert "You have this plan already." in answer.content.decode()


def test_a_free_plan_is_ready_without_a_payment_page(story: Story) -> None:
    client = story.client(story.other)
    answer = client.post(buy("free"))
    assert answer["Location"].endswith("/return")
    state = client.get(answer["Location"]).content.decode()
    assert 'data-state="preparing"' in state
    assert 'http-equiv="refresh"' in state, "without scripts the page looks again by itself"
    story.till.work({"fulfil_line"})
    state = client.get(answer["Location"]).content.decode()
    assert 'data-state="delivered"' in state
    assert "Show my key" in state
    assert "hx-get" not in state, "what is settled is watched no more"


def test_no_answer_is_a_state_of_its_own(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    client = story.client(story.owner)
    client.post(reverse("checkout_pay", args=[story.unpaid]))

    def silent(*_: object, **__: object) -> None:
        raise Unsure("no answer")

    monkeypatch.setattr(type(story.till.provider), "fetch", silent)
    page = client.get(reverse("checkout_return", args=[story.unpaid])).content.decode()
    assert 'data-state="unknown"' in page
    assert "We do not know yet" in page
    assert "never charged twice" in page


def test_a_provider_that_does_not_answer_loses_nothing(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object, **__: object) -> None:
        raise Unsure("no answer")

    client = story.client(story.other)
    with monkeypatch.context() as patched:
        patched.setattr(type(story.till.provider), "start", silent)
        answer = client.post(buy("pack-10k"), follow=True)
    text = answer.content.decode()
    assert "does not answer" in text
    assert "Nothing was charged" in text
    number = answer.request["PATH_INFO"].split("/")[2]
    again = client.post(reverse("checkout_pay", args=[number]))
    assert "checkout" in again["Location"] or "/c/" in again["Location"]


def test_leaving_the_payment_page_decides_nothing(story: Story) -> None:
    client = story.client(story.owner)
    page = client.get(reverse("checkout_cancelled", args=[story.unpaid])).content.decode()
    assert 'data-state="left"' in page
    assert sales.get_order(story.customer_id, story.unpaid).lifecycle == "open"


def test_cancelling_ends_an_unpaid_order(story: Story) -> None:
    client = story.client(story.owner)
    answer = client.post(reverse("checkout_cancel", args=[story.unpaid]), follow=True)
    assert "The order is cancelled" in answer.content.decode()
    assert sales.get_order(story.customer_id, story.unpaid).lifecycle == "cancelled"
    # what is paid is not cancelled by a late click
    client.post(reverse("checkout_cancel", args=[story.number]))
    assert sales.get_order(story.customer_id, story.number).status == "delivered"


def test_the_box_asks_again_and_slower_and_then_no_more(story: Story) -> None:
    client = story.client(story.owner)

    def box(round_: str) -> str:
        return client.get(reverse("checkout_state", args=[story.unpaid]), {"round": round_}).content.decode()

    assert "delay:1s" in box("1")
    assert "delay:5s" in box("40")
    assert "hx-get" not in box("399")
    assert "delay:1s" in box("not a number")


def test_a_suspended_shop_sells_nothing(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    import msgspec  # noqa: PLC0415

    from tollkeeper.catalog import queries  # noqa: PLC0415

    closed = msgspec.structs.replace(queries.current_shop(), suspended=True)
    monkeypatch.setattr(queries, "current_shop", lambda *_: closed)
    answer = story.client(story.other).post(buy("pack-10k"))
    assert answer.status_code == 409
    assert "not sold at the moment" in answer.content.decode()


def test_a_visitor_keeps_no_choice_after_buying(story: Story) -> None:
    client: Client = story.client()
    client.get(buy("pro"))
    client.force_login(story.other)
    client.get(buy("pro"))
    assert "chosen" not in client.get(reverse("console")).content.decode()
