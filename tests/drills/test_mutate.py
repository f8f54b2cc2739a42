"""Each fault turns its row red, and a probe that sees nothing is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drills.broken import play_broken
from tollkeeper.drills import mutate
from tollkeeper.drills._faults import FAULTS
from tollkeeper.drills._faults_more import MORE
from tollkeeper.proofs import running

pytestmark = pytest.mark.timeout(280)
FEW = "drill.FAULTS = {{name: drill.FAULTS[name] for name in {names}}}; drill.MORE = {{}}\n"


def test_every_promise_of_both_ledgers_has_a_fault() -> None:
    assert set(FAULTS) == {f"T-{number:02}" for number in range(1, 41)}
    assert set(MORE) == {f"G-{number:02}" for number in range(1, 70)}


def test_a_few_faults_are_caught_and_leave_nothing_behind(tmp_path: Path) -> None:
    figures = play_broken("mutate", FEW.format(names=("T-04", "T-09", "T-19", "T-22", "T-30")), tmp_path)
    assert figures["ok"], figures
    assert (figures["faults"], figures["caught"], figures["missed"], figures["strays"]) == (5, 5, 0, 0)
    assert figures["red_after"] == 0


@pytest.mark.parametrize(
    ("fault", "figure"),
    [
        # a probe that looks away
        ("from tollkeeper.proofs import census; census.raw_values = lambda *_, **__: iter(())", "missed"),
        # a fault that stays
        ("drill.FAULTS['T-04'] = lambda at: __import__('tollkeeper.drills._faults', fromlist=['x'])"
         ".KINDS.update(x=__import__('tollkeeper.kit.job_kinds', fromlist=['x'])"
         ".Kind('x', print, 'marketing', 1, 1.0, None))", "red_after"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_counted(tmp_path: Path, fault: str, figure: str) -> None:
    figures = play_broken("mutate", FEW.format(names=("T-04",)) + fault, tmp_path)
    assert not figures["ok"]
    assert figures[figure] > 0


def test_kin_are_promises_of_one_probe() -> None:
    running.load_probes()
    assert mutate._kin("T-04", "T-04")
    assert mutate._kin("T-10", "G-04")
    assert not mutate._kin("T-04", "T-25")
