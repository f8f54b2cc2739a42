"""What stays, what is held, and how long backups live: beside what was promised."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path

import pytest
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.privacy import holds
from tollkeeper.privacy.models import Hold
from tollkeeper.proofs import retention
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.probe import Broken

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])


def test_a_hold_order_that_nobody_looked_at_again_breaks_the_promise() -> None:
    ada = accounts.create_person("ada@example.org", None).pk
    today = timezone.now().date()
    number = holds.hold(ada, "orders", ground="claim", reviewer=ada, review_on=today + dt.timedelta(days=9))
    retention.what_stays(Context())
    Hold.objects.filter(number=number).update(review_on=today - dt.timedelta(days=1))
    with pytest.raises(Broken, match="looked at again"):
        retention.what_stays(Context())
    holds.release(number)
    retention.what_stays(Context())


def test_the_measured_window_of_backups_stands_beside_the_promised_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TOLLKEEPER_BACKUPS", str(tmp_path / "backups"))
    monkeypatch.setenv("TOLLKEEPER_KEY_BACKUPS", str(tmp_path / "keys"))
    ctx = Context()
    assert retention._backups(ctx) == {"oldest_backup_days": None, "oldest_copy_of_keys_days": None}
    folder, facts = tmp_path / "backups" / "20260101T000000Z", {"engine": "sqlite", "file": "b", "size": 1}
    folder.mkdir(parents=True)
    promised = ctx.policy.clocks.closure_backups_days
    for days, holds_ in ((promised, True), (promised + 1, False)):
        made = {"name": folder.name, "made_at": (ctx.now - dt.timedelta(days=days)).isoformat(), "digest": ""}
        (folder / "manifest.json").write_text(json.dumps({**facts, **made}))
        if holds_:
            assert retention._backups(ctx)["oldest_backup_days"] == promised
        else:
            with pytest.raises(Broken, match="older than promised"):
                retention._backups(ctx)
    (folder / "manifest.json").unlink()
    copy = tmp_path / "keys" / "20260101T000000Z.sqlite3"
    copy.parent.mkdir()
    copy.write_bytes(b"x")
    old = (ctx.now - dt.timedelta(days=10)).timestamp()
    os.utime(copy, (old, old))
    with pytest.raises(Broken, match="copy of keys"):
        retention._backups(ctx)
