"""Bytes are counted in KiB, a begun one whole."""

from __future__ import annotations

import pytest

from tollkeeper.core.meters import Request, UnknownMeter, find, names
from tollkeeper.core.meters.traffic import METER
from tollkeeper.core.terms import RouteTerms


@pytest.mark.parametrize(("size", "units"), [(0, 0), (1, 5), (1024, 5), (1025, 10)])
def test_counts(size: int, units: int) -> None:
    assert METER.open is not None
    reading, _ = METER.open(Request(RouteTerms("x", "/x", cost=5), {}, b"", b""))
    reading.begin(200, False, True)
    assert reading.feed(b"x" * size) == b"x" * size
    assert reading.count().units == units


def test_meters_are_found_by_name() -> None:
    assert {"calls", "items", "tokens", "traffic"} <= set(names())
    assert all(find(name).name == name for name in names())
    with pytest.raises(UnknownMeter, match="there are: calls"):
        find("apples")
