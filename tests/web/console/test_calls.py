"""The call log: filters, pages, nonsense."""

from __future__ import annotations

import re

from django.urls import reverse

from tests.web.story import Story


def rows(story: Story, **wanted: str) -> list[str]:
    page = story.client(story.owner).get(reverse("console_calls"), wanted).content.decode()
    return re.findall(r"req_\d{12}", page)


def test_two_pages_hold_every_call_once(story: Story) -> None:
    client = story.client(story.owner)
    first = client.get(reverse("console_calls")).content.decode()
    older = re.search(r'href="(\?[^"]*before=\d+-\d+)"', first)
    assert older is not None
    second = client.get(reverse("console_calls") + older[1].replace("&amp;", "&")).content.decode()
    seen = re.findall(r"req_\d{12}", first + second)
    assert len(seen) == len(set(seen)) == len(story.request_ids)
    assert seen == sorted(story.request_ids, reverse=True), "the latest stand first"


def test_filters_narrow(story: Story) -> None:
    assert len(rows(story, outcome="errors")) == 40
    assert len(rows(story, route="trends")) == 30
    assert len(rows(story, route="trends", outcome="errors")) == 20
    assert len(rows(story, key=str(story.key_id))) == 50


def test_nonsense_is_said_and_ignored(story: Story) -> None:
    for wanted in (
        {"key": "999999"},
        {"key": "x"},
        {"route": "no-such"},
        {"before": "-5"},
        {"before": "1"},
        {"outcome": "?"},
    ):
        answer = story.client(story.owner).get(reverse("console_calls"), wanted)
        assert answer.status_code == 200
        assert "field-error" in answer.content.decode() or "before" in wanted
        assert len(re.findall(r"req_\d{12}", answer.content.decode())) == 50


def test_somebody_without_calls_is_told_so(story: Story) -> None:
    page = story.client(story.other).get(reverse("console_calls")).content.decode()
    assert "No calls yet" in page
    page = story.client(story.owner).get(reverse("console_calls"), {"before": "1-1"}).content.decode()
    assert "Nothing matches" in page
