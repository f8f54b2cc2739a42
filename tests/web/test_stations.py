"""Every status of an order has words, an icon that exists, and something to do."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from pathlib import Path

import pytest
from django.template import Context, Template
from django.template.loader import render_to_string

from tests.web.story import Story
from tollkeeper.flows import progress
from tollkeeper.sales import queries as sales
from tollkeeper.web import stations

STATUSES = re.findall(r"``(\w+)``", sales.status.__doc__ or "")


def test_the_list_of_statuses_is_read() -> None:
    assert {"in_review", "delivered", "awaiting_payment"} <= set(STATUSES)


def test_each_status_is_told(story: Story) -> None:
    order = sales.get_order(story.customer_id, story.number)
    for status in [*STATUSES, "something_new"]:
        told(dataclasses.replace(order, status=status), status)


def told(order: sales.OrderView, status: str) -> None:
    station = stations.of(order)
    assert station.name == status
    assert (status == "something_new") == (str(station.title) == "Order")
    drawing = Template("{% load lucide %}{% lucide icon %}").render(Context({"icon": station.icon}))
    assert "<svg" in drawing
    values = {
        "station": station,
        "steps": stations.steps(order),
        "ways": stations.ways(order, station),
        "number": order.number,
    }
    text = render_to_string("checkout/station.html", values)
    assert str(station.title) in text
    assert f'data-state="{status}"' in text
    assert values["ways"], "there is always a way on"


def test_no_answer_and_leaving_have_words_of_their_own(story: Story) -> None:
    unpaid = sales.get_order(story.customer_id, story.unpaid)
    assert stations.of(unpaid).name == "awaiting_payment"
    assert stations.of(unpaid, unknown=True).name == "unknown"
    assert stations.of(unpaid, left=True).name == "left"
    paid = sales.get_order(story.customer_id, story.number)
    assert stations.of(paid, left=True).name == "delivered", "what was paid was not left"


def test_the_timeline_ends_where_the_order_ends(story: Story) -> None:
    paid = sales.get_order(story.customer_id, story.number)
    assert [step.state for step in stations.steps(paid)] == ["done"] * 4
    unpaid = sales.get_order(story.customer_id, story.unpaid)
    assert [step.state for step in stations.steps(unpaid)] == ["done", "now", "todo", "todo"]
    over = dataclasses.replace(unpaid, status="expired")
    assert [step.state for step in stations.steps(over)] == ["done", "bad", "todo", "todo"]


def test_icons_named_in_menus_and_templates_exist() -> None:
    root = Path(stations.__file__).parent
    named = set(
        re.findall(r'_item\(request, _\("[^"]*"\), "\w+", "([a-z0-9-]+)"', (root / "nav.py").read_text())
    )
    for page in root.rglob("*.html"):
        named |= {
            one or two
            for one, two in re.findall(r'lucide "([a-z0-9-]+)"|icon="([a-z0-9-]+)"', page.read_text())
        }
    assert len(named) > 40
    for icon in sorted(named):
        assert "<svg" in Template("{% load lucide %}{% lucide icon %}").render(Context({"icon": icon})), icon


@pytest.mark.parametrize("reason", ["", "silent", "not_kept", "stuck", "failed"])
def test_while_it_is_prepared_the_reason_the_next_try_and_the_end_are_told(
    story: Story, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    paid = dataclasses.replace(sales.get_order(story.customer_id, story.number), status="preparing")
    at = dt.datetime(2026, 3, 2, 10, 0, 5, tzinfo=dt.UTC)
    tries = None if reason == "failed" else at
    now = progress.Progress(reason, at, None, tries, at + dt.timedelta(minutes=30))
    monkeypatch.setattr(progress, "of", lambda order: now)
    station = stations.of(paid)
    text = str(station.text)
    assert ("try again by ourselves at 10:00:05 UTC" in text) == (reason not in ("", "failed"))
    assert ("Mar 2, 10:30 UTC, the whole amount goes back" in text) == (reason != "")
    assert (station.title == stations._STATIONS["preparing"].title) == (reason == "")
    assert [step.note for step in stations.steps(paid)][2] == "since Mar 2, 10:00 UTC"
    assert station.busy == (reason != "failed")
    assert str(station.text) in render_to_string(
        "checkout/station.html", {"station": station, "steps": [], "ways": [], "number": "x"}
    )
