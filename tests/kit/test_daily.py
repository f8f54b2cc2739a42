"""Tables that go by the day: partitions on PostgreSQL, batches of rows on SQLite, the same rows on both."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError

from tollkeeper.core.addresses import DAY_US
from tollkeeper.kit import daily
from tollkeeper.kit.fields import from_micros
from tollkeeper.usage.models import Call

pytestmark = pytest.mark.django_db(transaction=True)
TODAY = dt.date(2026, 11, 23)
DAY = (TODAY - dt.date(1970, 1, 1)).days
ONE = daily.Daily("usage_call", "called_at")
PARTITIONED = connection.vendor == "postgresql"


@pytest.fixture(autouse=True)
def _no_days_left():
    yield
    for day in daily.parts(ONE):
        daily._drop(ONE, day)


def call(day: int, customer: int = 1, offset: int = 5, name: str = "") -> Call:
    return Call.objects.create(
        request_id=name or uuid.uuid4().hex, gate_id="g", key_id=1, customer_id=customer, route="r",
        method="GET", status=200, outcome=0, unit="calls", units=1, bytes_in=1, bytes_out=1, latency_us=1,
        called_at=from_micros(day * DAY_US + offset),
    )  # fmt: skip


def rows_in(name: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT count(*) FROM "{name}"')
        return int(cursor.fetchone()[0])


def test_days_are_made_ahead_and_rows_that_came_before_move_into_them() -> None:
    early = call(DAY)
    assert daily.make_ahead(TODAY, 3) == (3 if PARTITIONED else 0)
    assert daily.make_ahead(TODAY, 3) == 0
    assert daily.parts(ONE) == ([DAY, DAY + 1, DAY + 2] if PARTITIONED else [])
    late = call(DAY + 9)
    assert late.pk > early.pk
    assert set(Call.objects.values_list("pk", flat=True)) == {early.pk, late.pk}
    if PARTITIONED:
        assert rows_in("usage_call_d20261123") == 1
        assert rows_in("usage_call_rest") == 1


def test_whole_days_go_and_no_row_of_a_later_day() -> None:
    daily.make_ahead(TODAY, 3)
    call(DAY), call(DAY + 1), call(DAY - 20)
    stays = [call(DAY + 2, offset=0), call(DAY + 30)]
    rows, dropped = daily.drop_before(Call, DAY + 2)
    assert (rows, dropped) == ((1, 2) if PARTITIONED else (3, 0))
    assert set(Call.objects.values_list("pk", flat=True)) == {one.pk for one in stays}
    assert daily.drop_before(Call, DAY + 2) == (0, 0)
    assert daily.parts(ONE) == ([DAY + 2] if PARTITIONED else [])


def test_what_is_held_stays_with_its_day_until_it_is_released() -> None:
    daily.make_ahead(TODAY, 2)
    call(DAY), call(DAY + 1)
    kept = call(DAY, customer=2)
    assert sum(daily.drop_before(Call, DAY + 2, lambda rows: rows.exclude(customer_id=2))) == 2
    assert list(Call.objects.all()) == [kept]
    assert sum(daily.drop_before(Call, DAY + 2)) == 1
    assert not Call.objects.exists()


def test_a_killed_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        call(DAY, offset=number)
    turns = iter(range(100))

    class Dies(transaction.Atomic):
        def __enter__(self) -> None:
            if next(turns) == 2:
                raise KeyboardInterrupt
            super().__enter__()

    monkeypatch.setattr(transaction, "Atomic", Dies)
    with pytest.raises(KeyboardInterrupt):
        daily.drop_before(Call, DAY + 1, batch=2)
    monkeypatch.undo()
    assert Call.objects.count() == 3
    assert daily.drop_before(Call, DAY + 1, batch=2) == (3, 0)


def test_a_call_is_in_the_log_once_in_any_partition() -> None:
    for made in (0, 3):
        daily.make_ahead(TODAY, made)
        call(DAY + 1, name=f"req_{made}")
        with pytest.raises(IntegrityError), transaction.atomic():
            call(DAY + 1, name=f"req_{made}")
    assert Call.objects.count() == 2


@pytest.mark.skipif(not PARTITIONED, reason="SQLite has no partitions and no such locks")
def test_a_day_that_is_being_read_is_left_for_the_next_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daily, "LOCK_TIMEOUT", "50ms")
    daily.make_ahead(TODAY, 1)
    call(DAY)
    reader = connection.copy()
    with reader.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM usage_call_d20261123")
        rows, dropped = daily.drop_before(Call, DAY + 1)
        assert (rows, dropped) == (1, 0), "its rows go one by one instead"
        cursor.execute("ROLLBACK")
    reader.close()
    assert daily.drop_before(Call, DAY + 1) == (0, 1)
