"""Keys of logs: made ahead in both books, opened while they live, gone for good with their day."""

from __future__ import annotations

import datetime as dt
import secrets
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

from tollkeeper.core.addresses import Agreement, Unreadable
from tollkeeper.kit import log_keys
from tollkeeper.kit.keystore.models import LogSecret
from tollkeeper.kit.models import LogKey

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)
TODAY = dt.date(2026, 11, 23)
DAY = log_keys.day_number(TODAY)


def sealed(log: str = log_keys.CALLS, day: int = DAY, address: str = "203.0.113.9") -> bytes:
    public = log_keys.find_public(log, day)
    assert public is not None
    return Agreement(log, day, public, secrets.token_bytes(32)).seal(address)


def test_days_are_made_once_and_the_book_holds_public_halves_only() -> None:
    assert log_keys.make_ahead(TODAY, 3) == 6
    assert log_keys.make_ahead(TODAY, 3) == 0
    assert log_keys.make_ahead(TODAY + dt.timedelta(days=1), 3) == 2
    assert LogKey.objects.count() == LogSecret.objects.count() == 8
    wrapped = {bytes(row.wrapped or b"") for row in LogSecret.objects.all()}
    assert len(wrapped) == 8
    assert not wrapped & {bytes(row.public) for row in LogKey.objects.all()}


def test_a_book_that_lost_or_changed_a_key_follows_the_keystore() -> None:
    log_keys.make_ahead(TODAY, 2)
    before = dict(LogKey.objects.values_list("pk", "public"))
    first = LogKey.objects.order_by("pk")[0]
    LogKey.objects.filter(pk=first.pk).update(public=b"x" * 32)
    LogKey.objects.exclude(pk=first.pk).delete()
    log_keys.make_ahead(TODAY, 2)
    assert {bytes(row.public) for row in LogKey.objects.all()} == {bytes(one) for one in before.values()}


def test_an_address_opens_until_its_day_is_destroyed() -> None:
    log_keys.make_ahead(TODAY, 2)
    token = sealed()
    assert log_keys.open_sealed_address(log_keys.CALLS, DAY, token) == "203.0.113.9"
    assert log_keys.open_sealed_address(log_keys.CALLS, DAY + 1, token) == "203.0.113.9", (
        "a writer past midnight"
    )
    with pytest.raises(Unreadable):
        log_keys.open_sealed_address(log_keys.ACCESS, DAY, token)
    assert log_keys.destroy(log_keys.CALLS, DAY + 1) == 1
    assert log_keys.destroy(log_keys.CALLS, DAY + 1) == 0
    with pytest.raises(log_keys.KeyGone):
        log_keys.open_sealed_address(log_keys.CALLS, DAY, token)
    assert log_keys.find_public(log_keys.CALLS, DAY) is None
    assert log_keys.oldest_day(log_keys.CALLS) == DAY + 1
    assert log_keys.oldest_day(log_keys.ACCESS) == DAY
    assert log_keys.make_ahead(TODAY, 2) == 0, "a day never gets a second key"
    assert log_keys.find_public(log_keys.CALLS, DAY) is None


def test_a_day_with_rows_that_are_held_keeps_its_key() -> None:
    log_keys.make_ahead(TODAY, 3)
    assert log_keys.destroy(log_keys.CALLS, DAY + 3, spared=[DAY + 1]) == 2
    assert log_keys.open_sealed_address(log_keys.CALLS, DAY + 1, sealed(day=DAY + 1)) == "203.0.113.9"


def test_a_killed_destruction_is_finished_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    log_keys.make_ahead(TODAY, 1)
    token = sealed()
    monkeypatch.setattr(LogKey.objects, "filter", lambda **_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        log_keys.destroy(log_keys.CALLS, DAY + 1)
    monkeypatch.undo()
    with pytest.raises(log_keys.KeyGone):
        log_keys.open_sealed_address(log_keys.CALLS, DAY, token)
    log_keys.destroy(log_keys.CALLS, DAY + 1)
    assert not LogKey.objects.filter(log=log_keys.CALLS).exists()


def test_no_copy_of_a_destroyed_key_stays_in_the_file() -> None:
    log_keys.make_ahead(TODAY, 1)
    wrapped = bytes(LogSecret.objects.get(log=log_keys.CALLS).wrapped or b"")

    file = Path(connections["keystore"].settings_dict["NAME"])
    assert wrapped in file.read_bytes()
    log_keys.destroy(log_keys.CALLS, DAY + 1)
    assert wrapped not in file.read_bytes()


def test_the_keys_follow_a_new_wrapping_key(settings: Any) -> None:
    log_keys.make_ahead(TODAY, 2)
    token = sealed()
    settings.SEALING_KEKS = [b"n" * 32, *settings.SEALING_KEKS]
    assert log_keys.rewrap() == 4
    assert log_keys.rewrap() == 0
    settings.SEALING_KEKS = settings.SEALING_KEKS[:1]
    assert log_keys.open_sealed_address(log_keys.CALLS, DAY, token) == "203.0.113.9"


def test_the_book_cannot_open_what_it_holds() -> None:
    log_keys.make_ahead(TODAY, 1)
    token = sealed()
    LogSecret.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM kit_logkey")
        assert cursor.fetchone() == (2,)
    with pytest.raises(log_keys.KeyGone):
        log_keys.open_sealed_address(log_keys.CALLS, DAY, token)
