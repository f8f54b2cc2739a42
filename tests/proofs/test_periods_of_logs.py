"""What the probes say of logs by the day and of the addresses in them."""

from __future__ import annotations

import datetime as dt
import os
import tomllib
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from tollkeeper.config.environment import repository
from tollkeeper.core.addresses import Unreadable
from tollkeeper.drills._faults import Injector
from tollkeeper.drills._faults_more import old_grant
from tollkeeper.flows import retention
from tollkeeper.kit import log_keys
from tollkeeper.kit.keystore.models import LogSecret
from tollkeeper.kit.models import LogKey
from tollkeeper.proofs import collection, periods
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.probe import Broken
from tollkeeper.usage.models import Call

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])


def call(address: bytes | None) -> None:
    Call.objects.create(
        request_id=uuid.uuid4().hex, gate_id="g", key_id=1, customer_id=1, route="r", method="GET",
        status=200, outcome=0, unit="calls", units=1, bytes_in=1, bytes_out=1, latency_us=1,
        called_at=timezone.now(), sealed_address=address,
    )  # fmt: skip


def test_the_evidence_is_of_this_very_run() -> None:
    call(b"s" * 72)
    call(None)
    one, two = (collection.call_log(Context()) for _ in range(2))
    assert one["addresses_sealed"] == 1
    assert set(one["sealed_and_opened_now"]) == {"calls", "access"}
    assert one["sealed_and_opened_now"] != two["sealed_and_opened_now"], "sealed anew each time"
    assert periods.logs(Context())["days_of_logs"]["calls"] == {"oldest_key_days": 0, "limit_days": 30}


def test_an_address_that_is_not_sealed_is_found() -> None:
    call(b"203.0.113.7")
    with pytest.raises(Broken, match="not sealed"):
        collection.call_log(Context())


def test_a_day_without_a_key_is_found() -> None:
    LogKey.objects.filter(log="calls").delete()
    with pytest.raises(Broken, match="no key of today"):
        collection.call_log(Context())


def test_a_key_of_another_pair_is_found() -> None:
    LogKey.objects.filter(log="calls").update(public=b"x" * 32)
    with pytest.raises(Unreadable, match="does not open"):
        collection.call_log(Context())


def test_a_key_that_outlived_its_day_is_found() -> None:
    log_keys.make_ahead(timezone.now().date() - dt.timedelta(days=31), 1)
    with pytest.raises(Broken, match="outlived"):
        periods.logs(Context())
    LogSecret.objects.order_by("day").update(wrapped=None)
    periods.logs(Context())


def test_a_grant_past_its_period_is_found() -> None:
    periods.keys_and_quotas(Context())
    with Injector() as at:
        old_grant(at)
        with pytest.raises(Broken, match="past their period"):
            periods.keys_and_quotas(Context())


def test_a_file_of_a_log_older_than_its_rule_is_found_and_the_night_takes_it(settings: Any) -> None:
    folder = Path(settings.ENV.home) / "logs"
    folder.mkdir(exist_ok=True)
    file = folder / "web.log"
    file.write_text("{}\n")
    old = timezone.now() - dt.timedelta(days=31, hours=1)
    os.utime(file, (old.timestamp(), old.timestamp()))
    try:
        with pytest.raises(Broken, match="older than its period"):
            periods.logs(Context())
        retention.run(timezone.now())
        assert not file.exists()
        assert periods.logs(Context())["limit_of_files_days"] == 30
    finally:
        file.unlink(missing_ok=True)


@pytest.mark.parametrize("shop", ["gettoken", "twtapi"])
def test_both_shops_keep_logs_for_thirty_days(shop: str) -> None:
    text = (repository() / "shops" / shop / "policy.toml").read_text()
    rules = tomllib.loads(text)["keep"]
    assert {name: rule["days"] for name, rule in rules.items() if rule.get("logs")} == {
        "calls": 30,
        "security": 30,
        "jobs": 30,
    }
