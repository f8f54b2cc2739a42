"""No figure of few people is shown, and none follows from those that are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core import aggregates
from tollkeeper.core.aggregates import TOTAL, follows, suppress, tabulate

K = 5
NAMES = st.sampled_from("abcd")
FACTS = st.lists(
    st.tuples(NAMES, st.sampled_from("wxyz"), st.integers(0, 30), st.integers(0, 9)), max_size=120
)


@given(FACTS)
def test_no_cell_of_few_people_is_shown(facts: list[tuple[str, str, int, int]]) -> None:
    table = tabulate(facts, K)
    assert table.smallest is None or table.smallest >= K


@given(FACTS)
def test_nothing_hidden_follows_by_subtraction(facts: list[tuple[str, str, int, int]]) -> None:
    table = tabulate(facts, K)
    people = {**dict.fromkeys(table.hidden, 0), **{key: cell.people for key, cell in table.cells.items()}}
    assert follows(people, table.cells) == frozenset()


@given(FACTS, st.integers(0, 30))
def test_one_person_more_never_shows_what_they_did(facts: list[tuple[str, str, int, int]], who: int) -> None:
    """Two queries one person apart: no cell that changed has fewer than k people in both."""
    with_them, without = tabulate(facts, K), tabulate([f for f in facts if f[2] != who], K)
    for key in with_them.cells.keys() & without.cells.keys():
        if with_them.cells[key].people != without.cells[key].people and without.cells[key].people:
            assert without.cells[key].people >= K


@given(FACTS)
def test_the_rest_of_a_line_has_many_people_too(facts: list[tuple[str, str, int, int]]) -> None:
    table = tabulate(facts, K)
    of: dict[tuple[str, str], set[int]] = {}
    for row, column, person, _ in facts:
        of.setdefault((row, column), set()).add(person)
    for axis in (0, 1):
        for name in {key[axis] for key in table.hidden} - {TOTAL}:
            total = (name, TOTAL) if axis == 0 else (TOTAL, name)
            rest = [key for key in table.hidden if key[axis] == name and TOTAL not in key]
            if total in table.cells and rest:
                assert len(set().union(*(of.get(key, set()) for key in rest))) >= K


def test_two_that_would_follow_take_others_with_them() -> None:
    facts = [("a", "x", 1, 1)]  # one person in a cell of their own
    facts += [(row, column, person, 1) for row in "ab" for column in "xy" for person in range(10, 30)
              if (row, column) != ("a", "x")]  # fmt: skip
    table = tabulate(facts, K)
    assert ("a", "x") in table.hidden
    assert len(table.hidden) >= 4, "a circle of four at least"
    assert (TOTAL, TOTAL) in table.cells


def test_what_is_large_is_shown_whole() -> None:
    facts = [(row, column, person, 2) for row in "ab" for column in "xy" for person in range(K)]
    table = tabulate(facts, K)
    assert not table.hidden
    assert (table.cells[TOTAL, TOTAL].people, table.cells[TOTAL, TOTAL].amount) == (K, 40)
    assert table.cells["a", TOTAL].amount == 20


def test_a_table_of_few_is_empty_and_nonsense_is_refused() -> None:
    assert not any(cell.people for cell in tabulate([("a", "x", 1, 1)], K).cells.values())
    assert not tabulate([], K).hidden
    with pytest.raises(ValueError, match="hides nobody"):
        tabulate([], 1)
    with pytest.raises(ValueError, match="called"):
        tabulate([(TOTAL, "x", 1, 1)], K)


def test_the_judge_sees_what_follows() -> None:
    people = {(r, c): 9 for r in ("a", "b", TOTAL) for c in ("x", "y", TOTAL)}
    assert follows(people, set(people) - {("a", "x")}) == {("a", "x")}
    square = {(r, c) for r in "ab" for c in "xy"}
    assert follows(people, set(people) - square) == frozenset()
    assert suppress({**people, ("a", "x"): 1}, K) >= square


PEOPLE = st.dictionaries(st.integers(0, 60), st.integers(0, 10_000), min_size=3, max_size=40)


@given(PEOPLE, st.integers(0, 10**9))
def test_however_much_the_largest_used_the_table_is_the_same(amounts: dict[int, int], more: int) -> None:
    largest = max(amounts, key=lambda person: (amounts[person], person))
    facts = [("r", "c", person, amount) for person, amount in amounts.items()]
    other = [*facts, ("r", "c", largest, more)]
    one, two = (aggregates.tabulate(some, 2) for some in (facts, other))
    assert one.cells == two.cells


@given(PEOPLE)
def test_at_least_three_share_the_largest_amount(amounts: dict[int, int]) -> None:
    top = aggregates.top_of(amounts.values())
    assert sum(amount >= top for amount in amounts.values()) >= aggregates.PEERS
    table = aggregates.tabulate([("r", "c", person, amount) for person, amount in amounts.items()], 2)
    assert table.cells["r", "c"].amount == sum(min(top, amount) for amount in amounts.values())
    assert table.coded == sum(amount > top for amount in amounts.values())


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.integers(0, 30), st.integers(0, 99)))
)
def test_totals_are_still_the_sums_of_their_lines(facts: list[tuple[str, str, int, int]]) -> None:
    table = aggregates.tabulate(facts, 2)
    for name in {row for row, *_ in facts}:
        line = [key for key in table.cells if key[0] == name and key[1] != aggregates.TOTAL]
        whole = (name, aggregates.TOTAL)
        if whole in table.cells and len(line) == len({column for _, column, *_ in facts}):
            assert table.cells[whole].amount == sum(table.cells[key].amount for key in line)


def test_of_many_people_the_largest_twentieth_is_coded() -> None:
    assert aggregates.top_of(range(200)) == 190
    assert aggregates.top_of([7]) == 7
    assert aggregates.top_of([9, 7]) == 7
