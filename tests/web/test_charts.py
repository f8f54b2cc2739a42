"""Drawings are right about their numbers and safe about their words."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.web import charts


@given(st.floats(min_value=0, max_value=1e12))
def test_the_scale_holds_the_largest_value_and_divides_by_four(largest: float) -> None:
    top = charts.scale_top(largest)
    assert top >= largest
    assert top <= max(4, largest * 2.1)
    assert (top * 10) % 4 == 0 or top >= 10


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (7, "7"), (999, "999"), (1000, "1k"), (1234, "1.2k"), (9_999, "9.9k"), (999_999, "999.9k"),
     (1_250_000, "1.2M"), (3_000_000_000, "3B"), (-1500, "-1.5k")],
)  # fmt: skip
def test_short_numbers_are_never_rounded_up(number: int, text: str) -> None:
    assert charts.human(number) == text


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_gauge_says_all_only_when_all_is_used(used: int, whole: int) -> None:
    drawing = charts.gauge(used, whole, "calls")
    percent = int(re.findall(r">(\d+)%<", drawing)[0])
    assert 0 <= percent <= 100
    assert (percent == 100) == (used >= whole > 0)
    level = re.findall(r'class="gauge (\w+)"', drawing)[0]
    assert (level == "crit") == (whole > 0 and used / whole >= 0.92)


def test_bars_stack_up_to_the_axis() -> None:
    series = (charts.Series("ok", "series-ok", [1, 40]), charts.Series("bad", "series-5", [0, 8]))
    drawing = charts.bars(series, ["one", "<two>"], "a & b")
    assert drawing.count("<svg") == 2  # a wide one, a narrow one
    assert drawing.count('class="series-5"') == 2, "a value of nothing draws nothing"
    assert "&lt;two&gt;" in drawing
    assert "<two>" not in drawing
    assert "a &amp; b" in drawing
    assert drawing.count(">48<") == 2, "the axis ends at the sum of a stack, rounded up"


def test_empty_drawings_do_no_harm() -> None:
    assert charts.bars((charts.Series("ok", "series-ok", []),), [], "none").count("<svg") == 2
    assert charts.spark([]) == charts.spark([3]) == ""
    assert 'width="0"' in charts.share_bar(0, 0)
    assert 'width="100"' in charts.share_bar(9, 3)


@given(st.lists(st.floats(0, 1e9), min_size=2, max_size=40))
def test_a_spark_stays_in_its_box(values: list[float]) -> None:
    line = re.findall(r'class="spark-line" d="M([^"]+)"', charts.spark(values))[0]
    points = [tuple(map(float, point.split())) for point in line.split(" L")]
    assert len(points) == len(values)
    assert all(0 <= x <= 120 and 2.9 <= y <= 33.1 for x, y in points)
