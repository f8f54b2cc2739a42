"""The call log is paged exactly, in whatever order calls came in; days know their mean duration."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.services.gates import Gate
from tollkeeper.kit.fields import from_micros, to_micros
from tollkeeper.usage import queries, services
from tollkeeper.usage.models import Call

pytestmark = pytest.mark.django_db
CUSTOMER = 5


def write(instants: list[int]) -> None:
    Call.objects.all().delete()
    Call.objects.bulk_create(
        Call(
            request_id=f"req_{number}", gate_id=f"g{number % 3}", key_id=1, customer_id=CUSTOMER, route="r",
            method="GET", status=200, outcome=0, unit="calls", units=1, bytes_in=1, bytes_out=1, latency_us=1,
            called_at=from_micros(at),
        )
        for number, at in enumerate(instants)
    )  # fmt: skip


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.integers(0, 5), max_size=25), st.integers(1, 7))
def test_pages_hold_every_call_once_and_in_order(instants: list[int], size: int) -> None:
    write(instants)
    seen: list[queries.CallRow] = []
    while page := queries.recent_calls(CUSTOMER, size, before=seen[-1].place if seen else ""):
        assert len(page) <= size
        seen += page
    assert len(seen) == len(instants)
    assert seen == sorted(seen, key=lambda row: (row.called_at, row.id), reverse=True)


def test_a_call_that_comes_in_late_takes_its_place_and_moves_no_page() -> None:
    write([10, 20, 30, 40])
    first = queries.recent_calls(CUSTOMER, 2)
    Call.objects.filter(request_id="req_0").update(called_at=from_micros(35))
    Call.objects.filter(request_id="req_1").update(called_at=from_micros(25))
    second = queries.recent_calls(CUSTOMER, 5, before=first[-1].place)
    assert [row.request_id for row in first + second] == ["req_3", "req_2", "req_1"]


@pytest.mark.parametrize("place", ["x", "1", "-", "1-", "-1"])
def test_a_place_that_is_none_is_refused(place: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        queries.recent_calls(CUSTOMER, before=place)


def test_a_day_knows_the_mean_duration_of_its_calls() -> None:
    now = timezone.now()
    services.issue_grant(key="g", customer_id=CUSTOMER, unit="calls", amount=10, source="test")
    gate = Gate()
    drawn = gate.draw(CUSTOMER, 2, 2, to_micros(now))
    at = to_micros(now)
    records = [record for _ in range(2) for record in gate.call(CUSTOMER, drawn.lease_id, 1, at)]
    services.take_in("gate-1", "1", 0, records, 9)
    *_, yesterday, today = queries.daily_usage(CUSTOMER, 3)
    assert today.day == now.date()
    assert (today.latency_us, today.mean_ms) == (3000, 1.5)
    assert yesterday.mean_ms is None
    assert yesterday.day == now.date() - dt.timedelta(days=1)
