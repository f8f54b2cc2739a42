"""The access log of the web process: patterns of pages, no path, no query, no name."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from django.test import RequestFactory

from tollkeeper.web import access_log
from tollkeeper.web.access_log import logged


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr(access_log, "note_access", lambda address, facts, now: found.append((address, facts)))
    return found


def ask(path: str, method: str = "GET", status: str = "200 OK", **environ: str) -> list[bytes]:
    def application(_: dict[str, Any], start: Any) -> Iterable[bytes]:
        start(status, [])
        return [b"body"]

    request = RequestFactory().generic(method, path, REMOTE_ADDR="203.0.113.7", **environ)
    return list(logged(application)(request.environ, lambda *_: None))


def test_a_page_is_its_pattern(noted: list[tuple[str, dict[str, Any]]]) -> None:
    assert ask("/console/orders/O-SECRET/?token=SECRET", HTTP_USER_AGENT="SECRET") == [b"body"]
    [(address, facts)] = noted
    assert address == "203.0.113.7"
    assert set(facts) == {"method", "page", "status", "ms"}
    assert "<" in facts["page"]
    assert "SECRET" not in json.dumps(facts)


@pytest.mark.parametrize(("method", "told"), [("POST", "POST"), ("SECRET", "OTHER")])
def test_what_is_not_there_has_no_page(
    noted: list[tuple[str, dict[str, Any]]], method: str, told: str
) -> None:
    ask("/SECRET/SECRET/", method, "404 Not Found")
    [(_, facts)] = noted
    assert (facts["method"], facts["page"], facts["status"]) == (told, None, 404)
