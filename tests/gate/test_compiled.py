"""The build that is found is the build that runs."""

from __future__ import annotations

import os

from tests.gate.stage import RunningGate
from tollkeeper.gate import compiled


def test_a_gate_runs_the_build_that_is_there(gate: RunningGate) -> None:
    number = ("pure", "parser", "compiled").index(compiled.kind())
    assert b"\ntollkeeper_gate_compiled %d\n" % number in gate.page("/metrics")
    assert f"build {compiled.kind()}" in gate.log.read_text()
    if os.environ.get("TOLLKEEPER_PURE"):
        assert number == 0
