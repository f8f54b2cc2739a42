"""The first page after signing in, for newcomers and for those who call."""

from __future__ import annotations

import datetime as dt

from django.urls import reverse

from tests.web.story import Story
from tollkeeper.accounts import services as accounts
from tollkeeper.core.terms import MICRO
from tollkeeper.usage.queries import DayRow, RouteRow
from tollkeeper.web.console import figures


def test_a_newcomer_sees_steps_and_no_empty_charts(story: Story) -> None:
    page = story.client(story.other).get(reverse("console")).content.decode()
    assert "Three steps" in page
    assert "No quota yet" in page
    assert '<svg class="chart' not in page
    assert story.client(story.other).get(reverse("console_first")).status_code == 204


def test_a_caller_sees_figures_calls_and_the_key_that_waits(story: Story) -> None:
    page = story.client(story.owner).get(reverse("console")).content.decode()
    for words in (
        "Your key is ready",
        "Success rate",
        "33.3%",
        "/v1/trends",
        "Latest calls",
        "Pro",
        "100,000",
    ):
        assert words in page, words
    assert page.count('<svg class="chart') == 2
    rows = story.client(story.owner).get(reverse("console_latest")).content.decode()
    assert rows.count("<tr>") == 8


def test_periods_are_those_on_offer(story: Story) -> None:
    client = story.client(story.owner)
    for asked, shown in (("7", 7), ("90", 90), ("30", 30), ("8", 30), ("x", 30), ("-7", 30), ("7" * 30, 30)):
        page = client.get(reverse("console"), {"days": asked}).content.decode()
        assert f"last {shown} days" in page, asked


def test_the_corner_shows_the_nickname_or_the_address_to_its_owner(story: Story) -> None:
    client = story.client(story.owner)
    assert "owner@example.com" in client.get(reverse("console")).content.decode()
    accounts.set_nickname(story.owner.pk, "Lena <3")
    page = client.get(reverse("console")).content.decode()
    assert "Hello, Lena &lt;3" in page
    assert "owner@example.com" not in page


def test_figures_compare_with_the_period_before() -> None:
    day = dt.date(2026, 11, 1)
    now, before = [DayRow(day, 90, 10, 0, 90 * MICRO)], [DayRow(day, 50, 0, 0, 50 * MICRO)]
    calls, success, duration, used = figures.tiles(now, before, [RouteRow("a", 100, 10, 90 * MICRO, 12.0)])
    assert (calls.value, calls.note) == ("100", "+100% on the period before")
    assert (success.value, success.note, success.mood) == ("90%", "−10.0 points", "bad")
    assert duration.value == "12 ms"
    assert used.value == "90"
    empty = figures.tiles([], [], [])
    assert [tile.value for tile in empty] == ["0", "–", "–", "0"]
