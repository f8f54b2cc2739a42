"""Writing to the shop: anybody can, robots cannot, and nothing is lost."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.web.story import Story
from tollkeeper.support import queries as tickets

LETTER = {"contact": "me@example.com", "title": "Hello", "body": "A question.", "website": ""}


def test_a_stranger_writes_and_gets_a_number(story: Story) -> None:
    client = story.client()
    before = tickets.counts()["open"]
    answer = client.post(reverse("contact"), LETTER, follow=True)
    assert tickets.counts()["open"] == before + 1
    newest = max(tickets.open_tickets(), key=lambda row: row.opened_at)
    assert newest.number in answer.content.decode()


@pytest.mark.parametrize(
    ("change", "words"),
    [({"contact": "not an address"}, "valid email"), ({"title": ""}, "required"), ({"body": " "}, "required"),
     ({"body": "x" * 20_001}, "at most 20000")],
)  # fmt: skip
def test_mistakes_are_said_at_the_field_and_nothing_is_kept(
    story: Story, change: dict[str, str], words: str
) -> None:
    before = tickets.counts()["open"]
    answer = story.client().post(reverse("contact"), LETTER | change)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert tickets.counts()["open"] == before


def test_what_fills_the_trap_is_a_robot(story: Story) -> None:
    before = tickets.counts()["open"]
    assert story.client().post(reverse("contact"), LETTER | {"website": "spam"}).status_code == 302
    assert tickets.counts()["open"] == before


def test_too_many_letters_from_one_address_are_refused(story: Story) -> None:
    client = story.client()
    answers = [client.post(reverse("contact"), LETTER).status_code for _ in range(7)]
    assert answers == [302] * 5 + [429] * 2


def test_the_imprint_names_the_seller(story: Story) -> None:
    page = story.client().get(reverse("imprint")).content.decode()
    assert "TwtAPI Example Ltd." in page
    assert "12 Harbour Street" in page
