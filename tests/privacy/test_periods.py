"""Rules over tables: what is due, how old the oldest is, and what outlives an account."""

import datetime as dt

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

from tollkeeper.core.policy import read_policy
from tollkeeper.privacy import periods

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])
POLICY = read_policy((settings.SHOP / "policy.toml").read_text())


def test_rows_past_their_period_are_due_and_no_others() -> None:
    now = timezone.now()
    (rule,) = [one for one in periods.periods(POLICY) if one.label == "sessions.Session"]
    assert periods.oldest(rule) is None
    for days in (0, rule.days - 1, rule.days + 1):
        Session.objects.create(
            session_key=f"t1{days}", session_data="x", expire_date=now - dt.timedelta(days=days)
        )
    rows = periods.due(rule, now)
    assert rows is not None
    assert [row.session_key for row in rows] == [f"t1{rule.days + 1}"]
    assert periods.oldest(rule) == now - dt.timedelta(days=rule.days + 1)


def test_what_counts_from_the_closing_is_not_due_by_itself() -> None:
    waiting = [one for one in periods.periods(POLICY) if not one.since]
    assert waiting
    assert all(periods.due(one, timezone.now()) is None for one in waiting)


def test_all_rules_can_be_asked() -> None:
    now = timezone.now()
    for one in periods.periods(POLICY):
        rows = periods.due(one, now)
        assert rows is None or rows.count() == 0, one


def test_what_stays_has_its_ground_and_end() -> None:
    kept = periods.stays(POLICY)
    assert any(row.column == "usage.Entry.amount" for row in kept)
    assert not any(row.category == "account.email" for row in kept)
    assert all(row.ground and row.days > 0 for row in kept)
