"""What relays say is kept as found: dated, the last word of each hour, and what is odd beside it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.services.lines import customer
from tollkeeper.delivery import queries
from tollkeeper.delivery.models import Delivery, Snapshot
from tollkeeper.delivery.provisioners import Seen
from tollkeeper.delivery.services import keep_snapshot, keep_snapshots

pytestmark = pytest.mark.django_db
NOON = dt.datetime(2026, 5, 1, 12, 0, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)


def sold(number: int = 1) -> int:
    return Delivery.objects.create(
        line_id=number,
        customer_id=customer(),
        provisioner="x",
        alias=f"ord-{number}",
        unit="usd",
        target="there",
        label=f"tk-{number}-1",
        handle=f"h{number}",
        state="delivered",
    ).pk


def seen(at: dt.datetime, used: int | None = 5, **more: object) -> Seen:
    facts = {"enabled": True, "cap": 10_000_000, **more}
    return Seen("h1", "tk-1-1", used=used, as_of=at, **facts)  # type: ignore[arg-type]


def rows(delivery_id: int) -> list[tuple[dt.datetime, int | None]]:
    found = Snapshot.objects.filter(delivery_id=delivery_id).order_by("as_of")
    return list(found.values_list("as_of", "used"))


def test_what_has_not_changed_is_only_dated_anew() -> None:
    one = sold()
    for hour in range(5):
        assert keep_snapshot(one, seen(NOON + hour * 60 * MINUTE)) == ""
    assert rows(one) == [(NOON + 240 * MINUTE, 5)]


def test_the_last_word_of_each_hour_is_kept() -> None:
    one = sold()
    for minute in (0, 10, 50, 61, 62):
        keep_snapshot(one, seen(NOON + minute * MINUTE, used=minute))
    assert rows(one) == [(NOON + 50 * MINUTE, 50), (NOON + 62 * MINUTE, 62)]


def test_a_late_answer_does_not_write_over_a_newer_one() -> None:
    one = sold()
    keep_snapshot(one, seen(NOON + MINUTE, used=9))
    keep_snapshot(one, seen(NOON, used=4))
    found = queries.find_snapshot(one)
    assert found is not None
    assert (found.as_of, found.used) == (NOON + MINUTE, 9)


@pytest.mark.parametrize(
    ("before", "after", "odd"),
    [
        ({"used": 9}, {"used": 8}, "fell"),
        ({"used": 9}, {"used": None}, ""),
        ({"used": None}, {"used": 3}, ""),
        ({"used": 9, "window": "monthly", "resets_at": NOON + MINUTE}, {"used": 1, "window": "monthly"}, ""),
        (
            {"used": 9, "window": "monthly", "resets_at": NOON + 9 * MINUTE},
            {"used": 1, "window": "monthly"},
            "fell",
        ),
        ({"used": 9, "window": "monthly"}, {"used": 1, "window": "monthly"}, ""),
        ({"used": 1}, {"used": 11_000_000}, ""),
        ({"used": 1}, {"used": 11_000_001}, "above_cap"),
        ({"used": 1, "cap": None}, {"used": 10**12, "cap": None}, ""),
    ],
)
def test_use_that_cannot_be_is_odd(before: dict[str, object], after: dict[str, object], odd: str) -> None:
    one = sold()
    assert keep_snapshot(one, seen(NOON, **before)) == ""  # type: ignore[arg-type]
    assert keep_snapshot(one, seen(NOON + 2 * MINUTE, **after)) == odd  # type: ignore[arg-type]
    assert [row.odd for row in queries.odd_snapshots()] == ([odd] if odd else [])


def test_what_was_odd_stays_to_be_looked_at() -> None:
    one = sold()
    for minute, used in enumerate((9, 3, 4)):
        keep_snapshot(one, seen(NOON + minute * MINUTE, used=used))
    assert [(row.used, row.odd) for row in Snapshot.objects.order_by("as_of")] == [
        (9, ""),
        (3, "fell"),
        (4, ""),
    ]


def test_many_are_kept_in_few_reads_and_writes() -> None:
    ids = [sold(number) for number in range(1, 41)]
    keep_snapshots((one, seen(NOON)) for one in ids)
    changed = [(one, seen(NOON + MINUTE, used=5 + (one % 2))) for one in ids]
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert keep_snapshots(changed) == {}
    assert len(asked) < 10
    assert {rows(one)[-1] for one in ids} == {(NOON + MINUTE, 5), (NOON + MINUTE, 6)}
    assert Snapshot.objects.count() == 40
    assert keep_snapshots([]) == {}
