"""A copy is taken into an empty house, and comes out of it as it went in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from tests.privacy.bundle.test_writing import copy, person
from tollkeeper.accounts import queries as accounts
from tollkeeper.catalog.services import load_shop
from tollkeeper.config import environment
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit.purposes import OWN, serving
from tollkeeper.privacy import choices
from tollkeeper.privacy.bundle import reading
from tollkeeper.usage.models import Call, Grant

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])


@pytest.fixture(autouse=True)
def shop(db: None) -> None:
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")


def tables(path: Path) -> dict[str, list[dict[str, Any]]]:
    with zipfile.ZipFile(path) as archive:
        return {
            name.removeprefix("data/").removesuffix(".json"): json.loads(archive.read(name))
            for name in archive.namelist()
            if name.startswith("data/") and name.endswith(".json") and not name.endswith(".schema.json")
        }


def lifelike(tmp_path: Path) -> Path:
    """The copy of somebody with an account, conversations, choices, units and calls."""
    subject = person()
    customer = accounts.customer_of(subject)
    assert customer is not None
    choices.choose("object", "improve", subject=subject, source="console")
    now = timezone.now()
    Grant.objects.create(
        key="g1", customer_id=customer, unit="calls", amount=10**9, remaining=10**9, effective_at=now,
        source="test", created_at=now,
    )  # fmt: skip
    Call.objects.bulk_create(
        Call(
            request_id=f"req_{n}", gate_id="g", key_id=1, customer_id=customer, route="posts", method="GET",
            status=200, outcome=0, unit="calls", units=10**6, bytes_in=1, bytes_out=2, latency_us=3,
            called_at=now,
        )
        for n in range(1200)
    )  # fmt: skip
    return copy(subject, tmp_path, language="zh-hans")


@pytest.mark.timeout(240)  # four commands, each a process of its own
def test_a_round_trip_through_an_empty_house(tmp_path: Path) -> None:
    before = lifelike(tmp_path)
    home = tmp_path / "home"
    environment.create_secrets(home)
    cleared = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "TOLLKEEPER_HOME")}

    def tollkeeper(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tollkeeper", *words],
            env={**cleared, "TOLLKEEPER_HOME": str(home)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    tollkeeper("migrate")
    assert "unchanged" in tollkeeper("copy", "check", str(before))
    said = tollkeeper("copy", "take-in", str(before))
    assert "were taken in" in said
    after = tmp_path / "after.zip"
    tollkeeper("export", "ada@example.org", "--out", str(after), "--language", "zh-hans")
    old, new = tables(before), tables(after)
    left = {line.split(": ")[1] for line in said.splitlines() if line.startswith("left behind")}
    assert {label for label, rows in old.items() if rows} - left == set(new) - {
        "trail.Entry", "trail.Pseudonym", "keystore.SubjectKey", "privacy.PolicyNotice"
    }  # fmt: skip
    for label in set(old) - left:
        assert new[label] == old[label], label
    assert len(new["usage.Call"]) == 1200


def test_what_is_there_already_is_not_overwritten(tmp_path: Path) -> None:
    path = lifelike(tmp_path)
    with serving(OWN), pytest.raises(reading.BadCopy, match="already holds"):
        reading.take_in(path)
    assert Call.objects.count() == 1200


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut"])
def test_what_is_no_copy_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.zip"
    path.write_bytes(content)
    with pytest.raises(reading.BadCopy, match="file"):
        reading.check_copy(path)
