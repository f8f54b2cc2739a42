"""Both shops prove what they promise, on SQLite and on PostgreSQL, by the commands that operators run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.services.postgres import Postgres
from tollkeeper.proofs import report

SHOPS = Path(__file__).resolve().parents[2] / "shops"
ROWS = {"twtapi": 40, "gettoken": 69}


def command(home: Path, shop: str, book: str, *words: str) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, "TOLLKEEPER_HOME": str(home), "TOLLKEEPER_SHOP": str(SHOPS / shop)}
    given.pop("DATABASE_URL", None)
    if book:
        given["DATABASE_URL"] = book
    return subprocess.run(
        [sys.executable, "-m", "tollkeeper", *words],
        env=given, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip


def proved(home: Path, shop: str, book: str) -> dict[str, Any]:
    """A fresh shop, and what `prove --json` says of it."""
    made = command(home, shop, book, "migrate")
    assert made.returncode == 0, made.stderr
    told = command(home, shop, book, "prove", "--json")
    assert told.returncode == 0, told.stdout[-2000:] + told.stderr
    document: dict[str, Any] = json.loads(told.stdout)
    return document


@pytest.mark.parametrize("shop", sorted(ROWS))
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_every_promise_holds(home: Path, postgres: Postgres, shop: str, engine: str) -> None:
    book = postgres.create_database(f"prove_{shop}") if engine == "postgresql" else ""
    document = proved(home, shop, book)
    assert document["ok"] is True
    assert document["counts"]["broken"] == 0
    assert len(document["rows"]) == sum(document["counts"].values()) == ROWS[shop]
    assert {"id", "status", "evidence", "at"} <= set(document["rows"][0])
    assert report.genuine(document, document["public_key"])
    engines = {row["evidence"].get("book") for row in document["rows"]} - {None}
    assert engines == {engine}


def test_a_shop_that_breaks_a_promise_says_so_by_its_exit_code(home: Path) -> None:
    assert command(home, "twtapi", "", "migrate").returncode == 0
    (home / "secrets" / "readable").write_text("x")
    (home / "secrets" / "readable").chmod(0o644)
    told = command(home, "twtapi", "", "prove", "--json", "T-27")
    assert told.returncode == 1
    document = json.loads(told.stdout)
    assert document["ok"] is False
    assert [row["status"] for row in document["rows"]] == ["BROKEN"]
