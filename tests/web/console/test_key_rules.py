"""The rules of one key: narrower than the plan, all or nothing."""

from __future__ import annotations

import datetime as dt

import pytest
from django.urls import reverse
from msgspec.structs import replace

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
            "amount_0": "30",
            "unit_0": "requests",
            "window_0": "60",
            "amount_1": "2.5",
            "unit_1": "units",
            "window_1": "86400",
            "ip_ranges": "203.0.113.7/24\n\n2001:db8::1",
            "routes": ["trends", "get-post"],
        },
    )
    assert answer.status_code == 302
    found = key(story)
    assert found.name == "backend"
    assert found.own.ip_ranges == ("203.0.113.0/24", "2001:db8::1/128")
    assert set(found.terms.routes) == {"trends", "get-post"}
    assert [(x.unit, x.amount, x.window_s) for x in found.own.limits] == [
        ("requests", 30, 60),
        ("units", 2_500_000, 86_400),
    ]
    assert found.terms.limits[-2:] == tuple(replace(x, name=f"own-{x.name}") for x in found.own.limits)
    assert found.expires_at is not None
    assert found.expires_at.date() == tomorrow
    page = client.get(url).content.decode()
    for words in (
        "203.0.113.0/24",
        'value="30"',
        'value="2.5"',
        'name="amount_3"',
        tomorrow.isoformat(),
        "checked",
    ):
        assert words in page
    client.post(url, {"name": "backend"})
    found = key(story)
    assert (found.own.ip_ranges, found.own.routes, found.own.limits, found.expires_at) == ((), (), (), None)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"ip_ranges": "not a network"}, "no address or range"),
        ({"expires_on": "2001-01-01"}, "That day is over"),
        ({"amount_0": "0"}, "More than nothing"),
        ({"amount_0": "1.5"}, "A whole number"),
        ({"amount_0": "many"}, "Enter a number"),
        ({"amount_0": "5", "window_0": "61"}, "valid choice"),
        ({"amount_0": "5", "unit_0": "apples"}, "valid choice"),
        ({"routes": ["no-such"]}, "no-such"),
        ({"name": ""}, "required"),
    ],
)
def test_a_mistake_changes_nothing_at_all(story: Story, bad: dict[str, object], words: str) -> None:
    before = key(story)
    answer = story.client(story.owner).post(
        reverse("console_key_rules", args=[story.key_id]), {"name": "other", "amount_1": "5"} | bad
    )
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert key(story) == before


def test_as_many_limits_as_a_key_can_have(story: Story) -> None:
    url = reverse("console_key_rules", args=[story.key_id])
    client = story.client(story.owner)
    for _ in range(4):
        page = client.get(url).content.decode()
        rows = page.count('name="amount_')
        fields: dict[str, str] = {}
        for n in range(rows):
            fields |= {f"amount_{n}": str(n + 1), f"unit_{n}": "requests", f"window_{n}": "3600"}
        assert client.post(url, {"name": "backend", **fields}).status_code == 302
    assert len(key(story).own.limits) == 8
    assert client.get(url).content.decode().count('name="amount_') == 8


def test_beside_the_rules_stands_how_the_key_is_and_what_its_plan_allows(story: Story) -> None:
    client = story.client(story.owner)
    url = reverse("console_key_rules", args=[story.key_id])
    client.post(url, {"name": "backend", "amount_0": "77777", "unit_0": "requests", "window_0": "60"})
    facts = client.get(url).content.decode().partition('<dl class="facts">')[2].partition("</dl>")[0]
    for words in ("Active", "Last used", "Pro", "calls / "):
        assert words in facts, words
    assert "77,777" not in facts, "a rule of the key's own is no limit of the plan"
