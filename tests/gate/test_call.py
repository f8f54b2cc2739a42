"""A call is settled once, whatever its meter does."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tollkeeper.core import journal
from tollkeeper.core.charges import Outcome
from tollkeeper.core.records import ABSENT, frame
from tollkeeper.core.terms import MICRO, GateTerms, KeyTerms, RouteTerms
from tollkeeper.gate import admission
from tollkeeper.gate.call import AlreadySettled, Call
from tollkeeper.gate.directory import Customer, Grant, Key
from tollkeeper.gate.lease_book import Lease
from tollkeeper.gate.routes import RouteTable


class Broken:
    """A meter with a mistake in it."""

    held, tokens_held, model = 5 * MICRO, 0, ""

    def count(self) -> None:
        raise KeyError("usage")


def test_a_meter_that_fails_ends_its_call_nevertheless() -> None:
    table = RouteTable(GateTerms(shop="s", routes=(RouteTerms("a", "/a", meter="items"),), upstreams=()))
    key = Key(1, Customer(1, 1), Grant(KeyTerms(plan="p"), table), "active", "", 0, b"t")
    lease = Lease(b"l" * 16, 9 * MICRO, 1 << 62)
    key.purse.add(lease)
    call = Call(7, key, table.routes[0], 1, cast("Any", Broken()))
    _, holds = admission.judge(key, call.costs, call.held, 0, 0)
    call.admitted(holds, 0, 0)
    failures = Call.meter_failures
    records, _ = journal.read_frames(frame([call.settle(int(Outcome.OK), 200, 1)], 1))
    assert [(r.units, r.flags) for r in records if isinstance(r, journal.Settled)] == [(5 * MICRO, ABSENT)]
    assert (lease.left, lease.open_calls, key.customer.in_flight) == (4 * MICRO, 0, 0)
    assert Call.meter_failures == failures + 1
    with pytest.raises(AlreadySettled):
        call.settle(int(Outcome.OK), 200, 1)
