"""The rules of one key: narrower than the plan, all or nothing."""

from __future__ import annotations

import datetime as dt

import pytest
from django.urls import reverse

from tests.web.story import Story
from tollkeeper.delivery import queries as delivery
from tollkeeper.delivery.queries import KeyRow


def key(story: Story) -> KeyRow:
    found = delivery.find_key(story.key_id, story.customer_id)
    assert found is not None
    return found


def test_rules_are_kept_and_shown_again(story: Story) -> None:
    client = story.client(story.owner)
    url = reverse("console_key_rules", args=[story.key_id])
    tomorrow = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    answer = client.post(
        url,
        {
            "name": "backend",
            "expires_on": tomorrow.isoformat(),
            "per_minute": "30",
            "ip_ranges": "203.0.113.7/24\n\n2001:db8::1",
            "routes": ["trends", "get-post"],
        },
    )
    assert answer.status_code == 302
    found = key(story)
    assert found.name == "backend"
    assert found.own.ip_ranges == ("203.0.113.0/24", "2001:db8::1/128")
    assert set(found.terms.routes) == {"trends", "get-post"}
    assert found.terms.limits[-1].amount == 30
    assert found.expires_at is not None
    assert found.expires_at.date() == tomorrow
    page = client.get(url).content.decode()
    for words in ("203.0.113.0/24", 'value="30"', tomorrow.isoformat(), "checked"):
        assert words in page
    client.post(url, {"name": "backend"})
    found = key(story)
    assert (found.own.ip_ranges, found.own.routes, found.own.limits, found.expires_at) == ((), (), (), None)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"ip_ranges": "not a network"}, "no address or range"),
        ({"expires_on": "2001-01-01"}, "That day is over"),
        ({"per_minute": "0"}, "greater than or equal to 1"),
        ({"routes": ["no-such"]}, "no-such"),
        ({"name": ""}, "required"),
    ],
)
def test_a_mistake_changes_nothing_at_all(story: Story, bad: dict[str, object], words: str) -> None:
    before = key(story)
    answer = story.client(story.owner).post(
        reverse("console_key_rules", args=[story.key_id]), {"name": "other", "per_minute": "5"} | bad
    )
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert key(story) == before
