"""A gate is ready when it knows the shop and all of its keys, and not before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from tests.gate.stage import PEPPER, ROUTES
from tollkeeper.core.terms import GateTerms, KeyTerms, RouteTerms, UpstreamTerms, encode
from tollkeeper.gate.options import Options
from tollkeeper.gate.serve import Gate

TERMS = GateTerms(shop="s", routes=ROUTES[:3], upstreams=(UpstreamTerms("main", "http://127.0.0.1:1"),))


def with_gate(home: Path, look: Callable[[Gate], None]) -> None:
    """Make a gate that opens no ports and reads no book, and look at it."""

    async def run() -> None:
        options = Options(
            home=home,
            database_url="",
            redis_url="",
            gate_id="gate-1",
            host="127.0.0.1",
            port=1,
            internal_port=1,
            pepper=PEPPER,
            certificate="",
            private_key="",
            sync_ms=0,
            segment_bytes=1 << 20,
            drain_s=0.0,
            max_connections=16,
        )
        gate = Gate(options, asyncio.get_running_loop(), "pure")
        try:
            look(gate)
        finally:
            gate.lender.stop()
            gate.engine.journal.close()

    asyncio.run(run())


def test_nobody_is_called_unknown_before_all_keys_are_here(tmp_path: Path) -> None:
    def look(gate: Gate) -> None:
        def shut() -> str:
            gate.engine.begin_tick()
            return gate.engine.closed_as

        gate._note_round("")
        assert "no snapshot" in gate.not_ready(), "the book answered, and holds no shop"
        gate._use_snapshot(1, encode(TERMS))
        assert shut() == "not_ready"
        assert gate.not_ready() == "the keys are being read, 0 so far"
        row = (1, b"d" * 16, 1, "t", "active", "", encode(KeyTerms(plan="p")), None, 1)
        gate._use_entries([row])
        assert shut() == "not_ready", "there may be more of them"
        gate._note_round("gone")
        assert shut() == "not_ready"
        gate._note_round("")
        assert shut() == gate.not_ready() == ""
        gate._note_round("gone")
        assert shut() == "", "what is known stays known"

    with_gate(tmp_path, look)


def test_limits_that_cannot_be_read_fail_readiness_until_nobody_has_them(tmp_path: Path) -> None:
    def look(gate: Gate) -> None:
        gate._use_snapshot(1, encode(TERMS))
        gate._use_entries([(1, b"d" * 16, 1, "t", "active", "", '{"plan": 3}', None, 1)])
        gate._note_round("")
        assert gate.not_ready() == "1 sets of key terms cannot be read"
        gate._use_entries([(1, b"d" * 16, 1, "t", "active", "", encode(KeyTerms(plan="p")), None, 2)])
        assert gate.not_ready() == ""

    with_gate(tmp_path, look)


def test_a_route_that_leads_nowhere_is_not_taken_over(tmp_path: Path) -> None:
    def look(gate: Gate) -> None:
        gate._use_snapshot(1, encode(TERMS))
        gate._note_round("")
        lost = GateTerms(shop="s", routes=(RouteTerms("a", "/a", upstream="b"),), upstreams=TERMS.upstreams)
        gate._use_snapshot(2, encode(lost))
        assert gate.not_ready() == "snapshot 2: route 'a': there is no upstream 'b'"
        assert gate.engine.terms == TERMS
        gate._use_snapshot(3, encode(TERMS))
        assert gate.not_ready() == ""

    with_gate(tmp_path, look)
