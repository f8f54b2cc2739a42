"""Evidence is a fact of the run that found it: never a sentence that is always the same."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from tollkeeper import proofs
from tollkeeper.accounts import services as accounts
from tollkeeper.catalog.services import load_shop
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.privacy import requests
from tollkeeper.proofs import vouching
from tollkeeper.proofs.running import Row
from tollkeeper.support import services as support

pytestmark = [pytest.mark.django_db(databases=["default", "keystore"]), pytest.mark.timeout(180)]
SHOPS = Path(__file__).resolve().parents[2] / "shops"
_FACT = re.compile(r"\d{4}-\d{2}-\d{2}|\b[0-9a-f]{16,}\b|default-src|same-origin|TLSv1|SameSite|https?://")
"""Dates, hashes, headers and addresses in a text."""


def leaves(value: Any) -> Iterator[Any]:
    """Every single value of nested evidence."""
    if isinstance(value, dict):
        for one in value.values():
            yield from leaves(one)
    elif isinstance(value, list | tuple | set):
        yield len(value)
        for one in value:
            yield from leaves(one)
    else:
        yield value


def is_fact(value: Any) -> bool:
    """A number that was counted or measured, or a text that holds a date, a hash or a header."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float | dt.date) or bool(_FACT.search(str(value)))


def constant(rows: list[Row]) -> list[str]:
    """Rows whose evidence holds nothing that was found in the run."""
    return [row.id for row in rows if not any(is_fact(one) for one in leaves(dict(row.evidence)))]


def untimed(row: Row) -> dict[str, Any]:
    """The evidence without how long things took: that differs from run to run, or by chance does not."""
    return {name: fact for name, fact in row.evidence.items() if not name.endswith(("_ms", "_s"))}


def live_on() -> None:
    """A day in the shop's life: somebody signs up, writes, asks."""
    person = accounts.create_person("evidence@example.org", "correct-h0rse battery")
    customer = accounts.ensure_customer(person)
    accounts.set_nickname(person.pk, "Evidence")
    support.open_ticket("title", "words", customer_id=customer, owner=person.pk)
    requests.open_request("access", channel="console", subject=person.pk)


OF_DATA = {
    "twtapi": {"T-03", "T-04", "T-05", "T-06", "T-08", "T-09", "T-15", "T-26", "T-29", "T-30", "T-34"},
    "gettoken": {"G-06", "G-10", "G-12", "G-19", "G-39", "G-42", "G-45", "G-49", "G-57", "G-58"},
}
"""Promises about stored data and about people's acts: what they show moves with a day in the shop."""


@pytest.mark.parametrize("shop", ["twtapi", "gettoken"])
def test_each_row_of_each_run_holds_a_fact(shop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SHOP", SHOPS / shop)
    cache.clear()
    load_shop(SHOPS / shop)
    load_policy(SHOPS / shop / "policy.toml")
    vouching.stand_in(timezone.now())
    first = proofs.run()
    live_on()
    second = proofs.run()
    assert constant(first) == []
    assert constant(second) == []
    assert [row.id for row in first] == [row.id for row in second]
    instants = [row.at for row in (*first, *second)]
    assert instants == sorted(instants)
    moved = {a.id for a, b in zip(first, second, strict=True) if untimed(a) != untimed(b)}
    assert OF_DATA[shop] <= moved


def test_a_sentence_alone_is_no_fact() -> None:
    assert constant([Row("T-01", "PROVEN", "top", {"why": "all is well", "kept": True}, "", 0)]) == ["T-01"]
    assert constant([Row("T-01", "PROVEN", "top", {"seen": ["a"]}, "", 0)]) == []
