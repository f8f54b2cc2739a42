"""Faults that turn promises red: each is injected, and its row says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection

from tollkeeper import proofs
from tollkeeper.drills._faults import FAULTS, Injector
from tollkeeper.proofs.context import Context

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])


def test_every_promise_of_the_shop_has_a_fault() -> None:
    assert set(FAULTS) == set(Context().policy.promises)


@pytest.mark.parametrize(("promise", "inject"), FAULTS.items(), ids=FAULTS)
def test_a_fault_turns_its_row_red(promise: str, inject: Callable[[Injector], None]) -> None:
    (before,) = proofs.run([promise])
    assert before.status in ("PROVEN", "ATTESTED", "NOT-USED"), before.evidence
    with Injector() as at:
        inject(at)
        (after,) = proofs.run([promise])
    assert after.status == "BROKEN", after.evidence
    assert "fault@example.org" not in str(after)
    assert connection.in_atomic_block
