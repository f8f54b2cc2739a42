"""A disk that is said to be encrypted has to be seen to be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tollkeeper.config import environment
from tollkeeper.kit import disk_layer, sealed_stream
from tollkeeper.proofs import disk
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.probe import Broken

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])


def claimed(settings: Any) -> None:
    settings.ENV = replace(settings.ENV, disk_encrypted=True)


def test_what_is_seen_is_said_and_nothing_is_claimed(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = disk.below(Context())
    assert set(facts["disks"]) == {"home", "keystore", "backups", "copies_of_keys"}
    assert facts["disks_said_to_be_encrypted"] is False
    monkeypatch.setattr(disk_layer, "layer_of", lambda _: "dm-crypt")
    claimed(settings)
    assert set(disk.below(Context())["disks"].values()) == {"dm-crypt"}


def test_a_claim_about_one_plain_disk_is_broken(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    claimed(settings)

    def layer(path: Path) -> str:
        return disk_layer.NOT_SEEN if path.name == "backups" else "dm-crypt"

    monkeypatch.setattr(disk_layer, "layer_of", layer)
    with pytest.raises(Broken, match="not seen to be") as broken:
        disk.below(Context())
    assert broken.value.facts == {"places": ["backups"]}


def test_a_backup_in_the_clear_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOLLKEEPER_BACKUPS", str(tmp_path / "backups"))
    monkeypatch.setenv("TOLLKEEPER_KEY_BACKUPS", str(tmp_path / "keys"))
    folder = tmp_path / "backups" / "20260101T000000Z"
    folder.mkdir(parents=True)
    facts = {"made_at": "2026-01-01T00:00:00+00:00", "engine": "sqlite", "file": "b", "size": 1, "digest": ""}
    (folder / "manifest.json").write_text(json.dumps({"name": folder.name, **facts}))
    (folder / "b").write_bytes(sealed_stream.MAGIC + b"x" * 40)
    assert disk.below(Context())["sealed_backups"] == 1
    (folder / "b").write_bytes(b"SQLite format 3\0" + b"x" * 40)
    with pytest.raises(Broken, match="backup is not sealed"):
        disk.below(Context())


def test_the_head_of_a_file_tells_a_plain_one(tmp_path: Path) -> None:
    plain, odd = tmp_path / "a.sqlite3", tmp_path / "b.sqlite3"
    plain.write_bytes(b"SQLite format 3\0" + b"x" * 90)
    odd.write_bytes(bytes(range(100)))
    assert (disk._head(plain), disk._head(odd)) == ("plain SQLite", "not plain SQLite")
    assert disk._head(tmp_path / "c") == "no file"


def test_the_word_is_one_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLKEEPER_DISK", "encrypted")
    assert environment.read().disk_encrypted
    monkeypatch.setenv("TOLLKEEPER_DISK", "yes")
    with pytest.raises(environment.BadEnvironment, match="TOLLKEEPER_DISK"):
        environment.read()
