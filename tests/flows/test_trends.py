"""Trends count customers who allow it, in whole months; pages are counted from the log."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
from django.conf import settings

from tollkeeper.accounts import services as accounts
from tollkeeper.catalog.services import load_shop
from tollkeeper.core.aggregates import TOTAL
from tollkeeper.flows import trends
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit import log_lines
from tollkeeper.privacy import choices
from tollkeeper.usage.models import Day

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])
TODAY = dt.date(2026, 3, 15)


@pytest.fixture(autouse=True)
def shop() -> None:
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")


def called(number: int, day: dt.date, **counts: int) -> object:
    user = accounts.create_person(f"c{number}@example.org", None)
    customer = accounts.ensure_customer(user)
    Day.objects.create(customer_id=customer, day=day, key_id=1, route="posts", unit="calls", **counts)
    return user.pk


def test_months_are_whole_and_never_overlap() -> None:
    assert trends.last_month(TODAY) == (dt.date(2026, 2, 1), dt.date(2026, 2, 28))
    assert trends.last_month(dt.date(2026, 1, 1)) == (dt.date(2025, 12, 1), dt.date(2025, 12, 31))


def test_who_objects_is_not_counted_and_few_are_not_shown() -> None:
    people = [called(number, dt.date(2026, 2, 1 + number), ok=3) for number in range(21)]
    called(30, dt.date(2026, 3, 1), ok=100)
    called(31, dt.date(2026, 2, 28), server_errors=1)
    month = trends.of_month(*trends.last_month(TODAY))
    assert ("posts", "server_error") in month.table.hidden
    assert month.table.smallest is None or month.table.smallest >= 20
    for person in people[:2]:
        choices.choose("object", "improve", subject=person, source="form")
    month = trends.of_month(*trends.last_month(TODAY))
    assert month.left_out == 2
    assert not any(cell.people for cell in month.table.cells.values()), "twenty are not there any more"


def test_twenty_are_shown_with_their_calls() -> None:
    for number in range(20):
        called(number, dt.date(2026, 2, 10), ok=3)
    table = trends.of_month(*trends.last_month(TODAY)).table
    assert {key: (cell.people, cell.amount) for key, cell in table.cells.items()} == dict.fromkeys(
        [("posts", "ok"), ("posts", TOTAL), (TOTAL, "ok"), (TOTAL, TOTAL)], (20, 60)
    )


def test_pages_are_counted_by_pattern_and_rare_ones_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(log_lines, "folder", lambda: tmp_path)
    lines = [{"page": "plans/"}] * 25 + [{"page": "console/orders/<str:number>/"}] * 3 + [{"page": None}] * 20
    (tmp_path / "access-2026-03-15.log").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (tmp_path / "access-2026-03-14.log").write_text(json.dumps({"page": "x"}) + "\n")
    assert trends.pages(TODAY) == {"plans/": 25, "(none)": 20}
