"""A run says of every promise what it is, and a probe that cannot run proves nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tollkeeper import proofs
from tollkeeper.accounts.models import User
from tollkeeper.kit.keystore.models import SubjectKey
from tollkeeper.proofs import probe, running
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.probe import Broken, NotUsed

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    running.load_probes()
    registry: dict[str, list[Any]] = {}
    monkeypatch.setattr(probe, "_probes", registry)
    return registry


def _raise(error: BaseException) -> Any:
    def function(ctx: Context) -> Any:
        raise error

    return function


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([{"count": 1}], "PROVEN"),
        ([Broken("not kept", hits=2)], "BROKEN"),
        ([NotUsed("no such thing")], "NOT-USED"),
        ([NotUsed("no such thing"), {"count": 1}], "PROVEN"),
        ([{"count": 1}, Broken("not kept")], "BROKEN"),
        ([ZeroDivisionError("ada@example.org")], "BROKEN"),
        ([], "BROKEN"),
    ],
)
def test_what_outcomes_come_to(faked: dict[str, list[Any]], outcomes: list[Any], status: str) -> None:
    if outcomes:
        faked["T-01"] = [
            _raise(one) if isinstance(one, Exception) else (lambda ctx, one=one: one) for one in outcomes
        ]
    (row,) = proofs.run(["T-01"])
    assert row.status == status
    assert "ada@" not in str(row)


def test_an_unknown_promise_is_refused() -> None:
    with pytest.raises(running.UnknownPromise, match="T-99"):
        proofs.run(["T-01", "T-99"])


def test_every_promise_of_the_shop_has_a_row_and_nothing_is_left_behind() -> None:
    rows = proofs.run()
    promised = Context().policy.promises
    assert [row.id for row in rows] == list(promised)
    assert sum(running.counts(rows).values()) == len(promised)
    assert User.objects.count() == 0
    assert not SubjectKey.objects.filter(wrapped__isnull=False).exists()
