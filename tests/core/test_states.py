from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core.states import ATTEMPT, INBOX, JOB, LEASE, MACHINES, ORDER, IllegalStep, Machine, step

machines = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)


ENDLESS = {"ticket": "closed"}
"""Machines that rest in a state without ending there: a closed ticket may be asked about again."""


def reachable(machine: Machine, start: str) -> set[str]:
    """Every state that can follow ``start``, itself included."""
    found, waiting = {start}, [start]
    while waiting:
        for target in machine.table.get(waiting.pop(), {}).values():
            if target not in found:
                found.add(target)
                waiting.append(target)
    return found


@machines
def test_every_state_is_reachable_and_has_a_row(machine: Machine) -> None:
    assert reachable(machine, machine.initial) == set(machine.states)
    assert set(machine.table) == set(machine.states), "a state without a row is a forgotten one"


@machines
def test_there_is_an_end_and_it_can_be_reached_from_everywhere(machine: Machine) -> None:
    ends = machine.final or {ENDLESS[machine.name]}
    for state in machine.states:
        assert reachable(machine, state) & ends, f"nothing ends {state}"


@machines
def test_steps_follow_the_table_and_nothing_else(machine: Machine) -> None:
    events = {event for row in machine.table.values() for event in row}
    for state in machine.states:
        for event in events:
            target = machine.table[state].get(event)
            if target is None:
                with pytest.raises(IllegalStep) as caught:
                    step(machine, state, event)
                assert (caught.value.machine, caught.value.state, caught.value.event) == (
                    machine.name,
                    state,
                    event,
                )
            else:
                assert step(machine, state, event) == target


@given(st.sampled_from(MACHINES), st.text(max_size=12), st.text(max_size=12))
def test_unknown_states_and_events_are_refused(machine: Machine, state: str, event: str) -> None:
    if event not in machine.table.get(state, {}):
        with pytest.raises(IllegalStep):
            step(machine, state, event)


def test_names_are_unique() -> None:
    assert len({machine.name for machine in MACHINES}) == len(MACHINES)


def test_money_that_arrives_late_is_believed_and_never_forgotten() -> None:
    for state in ("failed", "cancelled", "expired"):
        assert step(ATTEMPT, state, "succeed") == "succeeded"
    assert ATTEMPT.table["succeeded"] == {}


def test_an_expired_order_can_be_reopened_by_late_money() -> None:
    assert step(ORDER, "expired", "reopen") == "open"
    assert step(ORDER, "cancelled", "reopen") == "open"


def test_a_lease_ends_once() -> None:
    assert LEASE.final == {"returned", "lapsed"}


def test_a_running_job_can_be_taken_over_and_a_dead_one_put_back() -> None:
    assert step(JOB, "running", "claim") == "running"
    assert step(JOB, "dead", "retry") == "ready"
    assert INBOX.final == {"done"}
