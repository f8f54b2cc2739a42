"""What an order's money is follows from its rows, in whatever order they came."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core import settlement
from tollkeeper.core.settlement import Charge, Due, Settlement, correction, derive, towards
from tollkeeper.core.states import ATTEMPT, DISPUTE, MACHINES, REFUND

DUE = Due(1000, "EUR", False)
CHARGES = st.lists(
    st.builds(
        Charge,
        st.sampled_from(ATTEMPT.states),
        st.just(1000),
        st.sampled_from([1000, 1000, 1000, 999]),
        st.sampled_from(["EUR", "EUR", "EUR", "USD"]),
        st.sampled_from([False, False, False, True]),
        st.sampled_from([True, True, True, False]),
    ),
    max_size=4,
)
AMOUNTS = st.integers(1, 1000)
REFUNDS = st.lists(st.tuples(st.sampled_from(REFUND.states), AMOUNTS), max_size=4)
DISPUTES = st.lists(st.tuples(st.sampled_from(DISPUTE.states), AMOUNTS), max_size=2)


def good(state: str = "succeeded") -> Charge:
    return Charge(state, 1000, 1000, "EUR", False)


@given(CHARGES, REFUNDS, DISPUTES, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(
    charges: list[Charge],
    refunds: list[tuple[str, int]],
    disputes: list[tuple[str, int]],
    chance: random.Random,
) -> None:
    first = derive(DUE, charges, refunds, disputes)
    for rows in (charges, refunds, disputes):
        chance.shuffle(rows)  # type: ignore[arg-type]
    assert derive(DUE, charges, refunds, disputes) == first
    assert first.money in settlement.MONEY


@given(CHARGES, REFUNDS, DISPUTES)
def test_nothing_is_handed_over_without_money_that_matches(
    charges: list[Charge], refunds: list[tuple[str, int]], disputes: list[tuple[str, int]]
) -> None:
    found = derive(DUE, charges, refunds, disputes)
    if found.fulfil:
        assert found.captured_minor >= DUE.amount_minor
        assert all(
            c.amount_minor == c.asked_minor and c.order_matches for c in charges if c.state == "succeeded"
        )
        assert not any(state in settlement.OPEN_DISPUTES for state, _ in disputes)
    assert found.refundable_minor <= max(0, found.captured_minor - found.refunded_minor)


@pytest.mark.parametrize(
    ("charges", "refunds", "disputes", "money"),
    [
        ([], [], [], "unpaid"),
        ([good("redirected")], [], [], "unpaid"),
        ([good("processing")], [], [], "processing"),
        ([good("failed"), good("processing")], [], [], "processing"),
        ([good()], [], [], "paid"),
        ([good("expired"), good()], [], [], "paid"),
        ([good(), good()], [], [], "overpaid"),
        ([good(), good()], [("succeeded", 1000)], [], "paid"),
        ([good()], [("pending", 1000)], [], "paid"),
        ([good()], [("succeeded", 400)], [], "part_refunded"),
        ([good()], [("succeeded", 400), ("succeeded", 600)], [], "refunded"),
        ([good()], [("failed", 1000)], [], "paid"),
        ([good()], [], [("inquiry", 1000)], "paid"),
        ([good()], [], [("needs_response", 1000)], "disputed"),
        ([good()], [], [("under_review", 1000)], "disputed"),
        ([good()], [], [("won", 1000)], "paid"),
        ([good()], [], [("lost", 1000)], "charged_back"),
        ([good()], [("succeeded", 400)], [("lost", 600)], "charged_back"),
    ],
)
def test_the_words_of_money(
    charges: list[Charge], refunds: list[tuple[str, int]], disputes: list[tuple[str, int]], money: str
) -> None:
    assert derive(DUE, charges, refunds, disputes).money == money


@pytest.mark.parametrize(
    ("charge", "reason"),
    [
        (Charge("succeeded", 1000, 999, "EUR", False), "amount"),
        (Charge("succeeded", 1000, 1000, "USD", False), "currency"),
        (Charge("succeeded", 1000, 1000, "EUR", True), "mode"),
        (Charge("succeeded", 1000, 1000, "EUR", False, False), "order"),
    ],
)
def test_what_does_not_match_waits_for_a_person(charge: Charge, reason: str) -> None:
    found = derive(DUE, [charge])
    assert found.review == reason
    assert not found.fulfil


def test_a_person_may_let_pass_what_is_too_little_and_what_names_another_order() -> None:
    short, other = (
        Charge("succeeded", 1000, 999, "EUR", False),
        Charge("succeeded", 1000, 1000, "EUR", False, False),
    )
    found = derive(Due(1000, "EUR", False, "amount"), [short])
    assert (found.money, found.review, found.fulfil, found.refundable_minor) == ("paid", "", True, 999)
    assert derive(Due(1000, "EUR", False, "amount"), [short], [("succeeded", 999)]).money == "refunded"
    assert derive(Due(1000, "EUR", False, "order"), [other]).fulfil
    # one thing let pass lets nothing else pass
    foreign = Charge("succeeded", 1000, 1000, "USD", False)
    assert derive(Due(1000, "EUR", False, "amount"), [short, foreign]).review == "currency"


def test_what_has_gone_back_as_it_came_is_held_no_more() -> None:
    foreign = Charge("succeeded", 1000, 1000, "USD", False, returned=True)
    assert derive(DUE, [foreign]).review == ""
    assert derive(DUE, [foreign]).money == "unpaid"
    assert derive(DUE, [foreign, good()]).fulfil


@given(
    invoice=st.integers(1, 5000),
    captured=st.integers(0, 9000),
    back=st.integers(0, 9000),
    ended=st.booleans(),
)
def test_what_stands_invoiced_is_what_was_kept(invoice: int, captured: int, back: int, ended: bool) -> None:
    back = min(back, captured)
    stands = invoice - correction(invoice, Settlement("", captured, back, 0, 0, ""), ended=ended)
    assert 0 <= stands <= invoice
    if captured:
        assert stands == min(invoice, captured - back)
    else:
        assert stands == (0 if ended else invoice)


def test_an_order_of_nothing_is_paid_once_it_is_confirmed() -> None:
    due = Due(0, "EUR", False)
    assert derive(due, []).money == "unpaid"
    assert derive(due, [Charge("succeeded", 0, 0, "EUR", False)]).fulfil


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.name)
def test_an_impossible_story_changes_nothing(machine) -> None:  # type: ignore[no-untyped-def]
    for state in machine.states:
        for target in machine.states:
            moved = towards(machine, state, target)
            assert moved in (state, target)
            if moved != state:
                assert target in machine.table[state].values()


def test_a_paid_attempt_never_regresses() -> None:
    for target in ATTEMPT.states:
        assert towards(ATTEMPT, "succeeded", target) == "succeeded"


def test_a_refund_cannot_exceed_what_is_left() -> None:
    found = derive(DUE, [good()], [("succeeded", 300), ("pending", 200)])
    assert found.refundable_minor == 500
    assert derive(DUE, [good()], [], [("needs_response", 1000)]).refundable_minor == 0
