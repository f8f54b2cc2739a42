"""The library is used where it is, fetched where it is not, and done without where it cannot be had."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from tollkeeper.cli.touring import library


def test_it_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", None)
    found = library.openai()
    assert found is not None
    assert found.OpenAI


def test_it_is_fetched_by_its_locked_list(monkeypatch: pytest.MonkeyPatch) -> None:
    there: list[Any] = []
    monkeypatch.setattr(library, "_imported", lambda: there[0] if there else None)
    asked: list[list[str]] = []

    def fetch(command: list[str], **_: Any) -> None:
        asked.append(command)
        there.append("the library")

    monkeypatch.setattr(subprocess, "run", fetch)
    assert library.openai() == "the library"  # type: ignore[comparison-overlap]
    [command] = asked
    assert "--require-hashes" in command
    assert command[-1].endswith(library.LOCK)


@pytest.mark.parametrize("error", [OSError(), subprocess.CalledProcessError(1, "pip")])
def test_without_a_network_the_story_goes_on(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(library, "_imported", lambda: None)
    monkeypatch.setattr(subprocess, "run", fail)
    assert library.openai() is None
