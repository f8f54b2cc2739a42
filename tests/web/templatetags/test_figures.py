"""Numbers, money, units and times as people read them."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from django.utils import timezone, translation

from tollkeeper.core.terms import MICRO
from tollkeeper.web.templatetags import figures


@pytest.fixture(autouse=True)
def _english() -> object:
    with translation.override("en"):
        yield


@pytest.mark.parametrize(
    ("micro", "text"),
    [(0, "0"), (MICRO, "1"), (1234 * MICRO, "1,234"), (MICRO // 4, "0.25"), (-MICRO, "−1"), (1, "0.000001")],
)
def test_units(micro: int, text: str) -> None:
    assert figures.units(micro) == text


def test_prices() -> None:
    assert figures.price(2900, "USD") == "$29.00"
    assert figures.round_price(2900, "USD") == "$29"
    assert figures.round_price(2950, "USD") == "$29.50"
    assert figures.round_price(100, "JPY") == "¥100"
    with translation.override("de"):
        assert figures.round_price(123_400, "EUR") == "1.234 €"


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "–"), (0, "0%"), (0.5, "50%"), (0.968, "96.8%"), (0.99999, "99.9%"), (1, "100%")],
)
def test_percent_is_never_rounded_up(share: float | None, text: str) -> None:
    assert figures.percent(share) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0.8, "0.8 ms"), (142.4, "142 ms"), (3100.0, "3,100 ms"), (12_000, "12.0 s")],
)
def test_durations(value: float | None, text: str) -> None:
    assert figures.ms(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "just now"), (30, "30 s ago"), (300, "5 min ago"), (7200, "2 h ago"), (90_000, "1 day ago"),
     (200_000, "2 days ago"), (90 * 86_400, "Aug. 3, 2026")],
)  # fmt: skip
def test_ago(seconds: int, text: str) -> None:
    with time_machine.travel(dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC), tick=False):
        assert figures.ago(timezone.now() - dt.timedelta(seconds=seconds)) == text
    assert figures.ago(None) == "never"


def test_colours_of_states() -> None:
    assert [figures.status_kind(status) for status in (200, 304, 404, 502, 0, None)] == [
        "ok", "ok", "warn", "crit", "", "",
    ]  # fmt: skip
    assert figures.state_kind("delivered") == "ok"
    assert figures.state_kind("dead") == "crit"
    assert figures.state_kind("some new state") == ""
    assert figures.words("past_due") == "Payment missing"
    assert figures.words("some_new-state") == "Some new state"
