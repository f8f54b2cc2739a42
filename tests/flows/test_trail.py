"""The trail is signed and checked by itself; a broken one is a dead job, old months go."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import time_machine
from django.utils import timezone

from tollkeeper.flows import trail
from tollkeeper.kit import audit
from tollkeeper.kit.trail.models import AuditHead, Entry
from tollkeeper.privacy import policy_store

pytestmark = pytest.mark.django_db
POLICY = Path(__file__).resolve().parents[2] / "shops" / "twtapi" / "policy.toml"


@pytest.fixture(autouse=True)
def _anchors(tmp_path, monkeypatch):
    monkeypatch.setattr(audit, "anchor_file", lambda: tmp_path / "audit.log")
    monkeypatch.setattr(policy_store, "_evidence", [])


def test_a_sound_trail_is_signed_and_passes():
    audit.record("test.read")
    trail.sign_audit_head(None)
    trail.check_audit_trail(None)
    assert AuditHead.objects.count() == 1


def test_a_changed_trail_fails_loudly():
    audit.record("test.read")
    Entry.objects.update(verb="test.other")
    with pytest.raises(trail.TrailBroken, match="entry 1: the entry was changed"):
        trail.check_audit_trail(None)


def test_entries_go_when_the_policys_time_is_over_and_not_before():
    policy_store.store_policy(POLICY)
    audit.record("test.read")
    count = Entry.objects.count()
    with time_machine.travel(timezone.now() + dt.timedelta(days=1125 - 70)):
        trail.drop_audit_segment(None)
        assert Entry.objects.count() == count
    with time_machine.travel(timezone.now() + dt.timedelta(days=1125)):
        audit.record("test.read")
        trail.drop_audit_segment(None)
        trail.drop_audit_segment(None)
        assert Entry.objects.count() == 1
        trail.check_audit_trail(None)


def test_without_a_policy_nothing_is_dropped():
    audit.record("test.read")
    with time_machine.travel(timezone.now() + dt.timedelta(days=4000)):
        trail.drop_audit_segment(None)
    assert Entry.objects.count() == 1
