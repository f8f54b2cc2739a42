"""What the probes of trends see: real tables, attacked; and what turns them red."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from tollkeeper.core import aggregates as tables
from tollkeeper.kit import access_log
from tollkeeper.proofs import aggregates
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.probe import Broken

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])


def test_the_evidence_is_of_this_very_run() -> None:
    one, two = (aggregates.page_visits(Context()) for _ in range(2))
    assert one["two_visits_of_one_address"] != two["two_visits_of_one_address"]
    found = aggregates.published(Context())
    assert found["cells_that_followed"] == 0
    assert found["cells_they_hid"] > 0
    assert found["month"] == str((timezone.now().date().replace(day=1) - dt.timedelta(days=1)).replace(day=1))


def test_a_table_that_hides_only_what_is_small_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        tables, "suppress", lambda people, k: frozenset(key for key, n in people.items() if 0 < n < k)
    )
    with pytest.raises(Broken, match="follows"):
        aggregates.published(Context())


def test_a_table_that_hides_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "suppress", lambda people, k: frozenset())
    with pytest.raises(Broken, match="too few"):
        aggregates.published(Context())


def test_lines_that_can_be_linked_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_log._sealer, "seal", lambda address, now: "always the same")
    with pytest.raises(Broken, match="told to be of one"):
        aggregates.page_visits(Context())
    monkeypatch.setattr(access_log, "line", lambda address, facts, now: {**facts, "from": "", "user": 1})
    with pytest.raises(Broken, match="more than it should"):
        aggregates.page_visits(Context())
