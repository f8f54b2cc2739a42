"""Units by hand: exact, once, for a reason, and never what was spent."""

from __future__ import annotations

import uuid

import pytest
from django.urls import reverse

from tests.web.story import Story, Strict
from tollkeeper.accounts import queries as accounts
from tollkeeper.core.terms import MICRO
from tollkeeper.kit.trail.models import Entry
from tollkeeper.usage import queries as usage


def page(story: Story) -> str:
    return reverse("desk_customer_units", args=[accounts.get_customer(story.customer_id).public_id])


def wish(act: str, **more: str) -> dict[str, str]:
    return {"act": act, "reason": "goodwill", "key": str(uuid.uuid4()), **more}


def left(story: Story) -> int:
    return usage.balances(story.customer_id)[0].spendable


def test_units_are_given_once_exactly_and_on_the_record(story: Story) -> None:
    desk, before = story.client(story.staff), left(story)
    form = wish("give", unit="calls", amount="0.25", lasts_days="30")
    assert "are given" in desk.post(page(story), form, follow=True).content.decode()
    desk.post(page(story), form)
    assert left(story) == before + MICRO // 4
    assert Entry.objects.filter(verb="grant.given", note="goodwill").count() >= 1
    (gift,) = [row for row in usage.grants(story.customer_id) if row.source == "gift:goodwill"]
    assert gift.expires_at is not None
    assert gift.amount == MICRO // 4


def test_what_is_left_is_taken_back(story: Story) -> None:
    desk = story.client(story.staff)
    desk.post(page(story), wish("give", unit="calls", amount="10"))
    gift = next(row for row in usage.grants(story.customer_id) if row.source == "gift:goodwill")
    before = left(story)
    desk.post(page(story), wish("take", grant=str(gift.id), amount="4", reason="correction"))
    assert left(story) == before - 4 * MICRO
    done = desk.post(page(story), wish("take", grant=str(gift.id)), follow=True)
    assert "6 units are taken back" in done.content.decode()
    assert left(story) == before - 10 * MICRO


@pytest.mark.parametrize(
    "wrong",
    [
        {"act": "give", "unit": "calls", "amount": "0.0000001"},
        {"act": "give", "unit": "calls", "amount": "-1"},
        {"act": "give", "unit": "calls", "amount": "0"},
        {"act": "give", "unit": "tokens", "amount": "1"},
        {"act": "give", "unit": "calls", "amount": "1", "reason": "because"},
        {"act": "give", "unit": "calls", "amount": "1", "key": "x"},
        {"act": "give", "unit": "calls", "amount": "1", "lasts_days": "0"},
        {"act": "take", "grant": "999999", "amount": "1"},
    ],
)
def test_a_bad_wish_is_said_at_the_form_and_changes_nothing(story: Story, wrong: dict[str, str]) -> None:
    before = left(story)
    answer = story.client(story.staff).post(page(story), wish(**wrong))
    assert answer.status_code == 422
    assert Strict(answer.content.decode()).wrong == []
    assert left(story) == before


def test_customers_and_strangers_see_nothing_of_it(story: Story) -> None:
    assert story.client(story.owner).get(page(story)).status_code == 404
    assert story.client().get(page(story)).status_code == 302
