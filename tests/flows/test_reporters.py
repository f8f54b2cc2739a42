"""Whose reports are believed: keys that GitHub publishes, asked for rarely and through the door."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache

from tollkeeper.config import environment
from tollkeeper.core.policy_nodes import Recipient
from tollkeeper.flows import reporters

pytestmark = pytest.mark.django_db
PUBLISHED = json.dumps(
    {"public_keys": [{"key_identifier": "k1", "key": "PEM 1", "is_current": True}]}
).encode()


@pytest.fixture
def live(settings: Any) -> None:
    cache.clear()
    settings.ENV = dataclasses.replace(settings.ENV, live=True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    found: list[int] = []

    def fetch() -> bytes:
        found.append(1)
        return PUBLISHED

    monkeypatch.setattr(reporters, "_fetch", fetch)
    return found


def test_keys_are_asked_for_once_and_remembered(live: None, asked: list[int]) -> None:
    assert reporters.public_keys("k1") == {"k1": "PEM 1"}
    assert reporters.public_keys("k1") == {"k1": "PEM 1"}
    assert len(asked) == 1


def test_unknown_ids_do_not_make_us_ask_again_and_again(live: None, asked: list[int]) -> None:
    for number in range(20):
        assert "k1" in reporters.public_keys(f"forged-{number}")
    assert len(asked) == 1


def test_a_policy_without_github_lets_nothing_out(live: None) -> None:
    with pytest.raises(reporters.NoKeys):
        reporters.public_keys("k1")


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"public_keys": 1}'])
def test_nonsense_is_no_answer(live: None, monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    monkeypatch.setattr(reporters, "_fetch", lambda: body)
    with pytest.raises(reporters.NoKeys):
        reporters.public_keys("k1")
    monkeypatch.setattr(reporters, "_fetch", lambda: PUBLISHED)
    assert reporters.public_keys("k1"), "asked again at once, because nothing had come"


def test_a_demo_asks_nobody(settings: Any, tmp_path: Path, asked: list[int]) -> None:
    settings.ENV = dataclasses.replace(settings.ENV, live=False, home=tmp_path)
    assert reporters.public_keys("k1") == {}
    (tmp_path / reporters.REHEARSAL).write_bytes(PUBLISHED)
    assert reporters.public_keys("k1") == {"k1": "PEM 1"}
    assert not asked


def test_the_recipient_of_the_manual_is_a_good_one() -> None:
    root = environment.repository()
    manual = (root / "docs" / "how-to" / "take-leak-reports.md").read_text()
    block = re.search(r"```toml\n(.*?)```", manual, re.DOTALL)
    assert block is not None
    node = tomllib.loads(block[1])["recipients"]["github"]
    found = Recipient.model_validate(node, strict=False)
    assert reporters.KEYS_AT.split("/")[2] in found.hosts
