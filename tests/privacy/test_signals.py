"""Sec-GPC of visitors without an account: a number for each day, and nothing else."""

from __future__ import annotations

import datetime as dt

import pytest
from django.conf import settings
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from tollkeeper.catalog.services import load_shop
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.privacy import signals
from tollkeeper.privacy.models import Choice, SignalDay

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])
DAY = dt.date(2026, 5, 4)


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "_waiting", {})
    monkeypatch.setattr(signals, "_written", -signals.EVERY_S)


def test_a_request_with_the_signal_is_counted_and_nothing_of_it_is_kept() -> None:
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")
    answer = Client(headers={"Sec-GPC": "1"}).get("/privacy/")
    assert "Opt-out preference signal honoured" in answer.content.decode()
    assert not answer.cookies
    assert "we store nothing about you: only how many such requests came on a day" in answer.content.decode()
    assert signals.totals(timezone.now().date()) == {timezone.now().date(): 1}
    assert {field.name for field in SignalDay._meta.concrete_fields} == {"day", "requests"}
    assert Choice.objects.count() == 0
    Client().get("/privacy/")
    assert sum(signals.totals(timezone.now().date()).values()) == 1


def test_counts_wait_a_minute_and_come_together(monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5):
        signals.count(DAY)
    assert signals.totals(DAY) == {DAY: 1}
    monkeypatch.setattr(signals, "_written", -signals.EVERY_S)
    signals.count(DAY)
    assert signals.totals(DAY) == {DAY: 6}


def test_a_busy_book_loses_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(_: object) -> None:
        raise DatabaseError

    with monkeypatch.context() as at:
        at.setattr(signals, "_add", busy)
        signals.count(DAY)
    monkeypatch.setattr(signals, "_written", -signals.EVERY_S)
    signals.count(DAY)
    assert signals.totals(DAY) == {DAY: 2}
