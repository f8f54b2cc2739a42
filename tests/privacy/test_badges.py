"""A badge stands only while everything behind it holds."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from django.utils import timezone

from tollkeeper.privacy import badges, policy_queries, policy_store, proof_runs

pytestmark = pytest.mark.django_db
SHOPS = Path(__file__).resolve().parents[2] / "shops"


def prepare(shop: str, monkeypatch, *, broken: int = 0, policy_hash: str = "", hours: int = 1) -> None:
    monkeypatch.setattr(policy_store, "_evidence", [])
    policy_store.store_policy(SHOPS / shop / "policy.toml")
    counts = {"proven": 60, "attested": 9, "broken": broken, "not_used": 0}
    proof_runs.keep_run(
        timezone.now() - dt.timedelta(hours=hours),
        counts,
        ["G-27"] if broken else [],
        policy_hash=policy_hash or policy_queries.get_current().body_hash,
        digest="d" * 64,
        document="{}",
        entry=1,
    )


def test_both_badges_stand_while_all_controls_hold(monkeypatch):
    prepare("gettoken", monkeypatch)
    found = badges.shown(timezone.now())
    assert [(one.regime, one.controls) for one in found] == [("GDPR", 69), ("CCPA", 69)]


def test_a_shop_that_asks_for_none_has_none(monkeypatch):
    prepare("twtapi", monkeypatch)
    assert badges.shown(timezone.now()) == []


@pytest.mark.parametrize("fault", [{"broken": 1}, {"policy_hash": "0" * 64}, {"hours": 49}])
def test_one_broken_stale_or_foreign_proof_takes_them_all(monkeypatch, fault):
    prepare("gettoken", monkeypatch, **fault)
    assert badges.shown(timezone.now()) == []


def test_an_expired_contract_takes_them_all(monkeypatch):
    prepare("gettoken", monkeypatch)
    day = dt.datetime(2028, 1, 6, tzinfo=dt.UTC)
    run = proof_runs.last_run()
    assert run is not None
    monkeypatch.setattr(badges, "FRESH", dt.timedelta(days=10_000))
    assert badges.shown(dt.datetime(2026, 12, 1, tzinfo=dt.UTC))
    assert badges.shown(day) == []


def test_without_policy_or_run_there_is_none(monkeypatch):
    assert badges.shown(timezone.now()) == []
    monkeypatch.setattr(policy_store, "_evidence", [])
    policy_store.store_policy(SHOPS / "gettoken" / "policy.toml")
    assert badges.shown(timezone.now()) == []
