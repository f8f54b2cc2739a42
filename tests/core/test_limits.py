"""A limit admits what it says, exactly, and several admit together or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core.limits import Limit, refusing, settle, take
from tollkeeper.core.terms import LimitTerms

TERMS = st.builds(
    LimitTerms,
    name=st.just("l"),
    unit=st.sampled_from(["requests", "units"]),
    amount=st.integers(1, 1000),
    window_s=st.integers(1, 100),
    burst=st.integers(0, 50),
)
CALLS = st.lists(st.tuples(st.integers(0, 3_000_000), st.integers(1, 20)), max_size=60)


@given(TERMS, CALLS)
def test_never_more_than_rate_plus_burst_in_any_window(
    terms: LimitTerms, calls: list[tuple[int, int]]
) -> None:
    limit, now, taken = Limit(terms), 0, []
    for gap, cost in calls:
        now += gap
        costs = (cost, cost, 0)
        if take((limit,), now, costs):
            taken.append((now, cost))
    for i, (start, _) in enumerate(taken):
        total = 0
        for end, cost in taken[i:]:
            total += cost
            assert (total - limit.burst) * terms.window_s * 1_000_000 <= limit.amount * (end - start)


@given(TERMS, CALLS)
def test_what_is_left_is_admitted_and_one_more_is_not(
    terms: LimitTerms, calls: list[tuple[int, int]]
) -> None:
    limit, now = Limit(terms), 0
    for gap, cost in calls:
        now += gap
        left = limit.left(now)
        assert limit.after(now, left) >= 0
        assert limit.after(now, left + 1) < 0
        take((limit,), now, (min(cost, left), min(cost, left), 0))


@given(TERMS, CALLS, st.integers(1, 60))
def test_retry_after_is_honest(terms: LimitTerms, calls: list[tuple[int, int]], cost: int) -> None:
    limit, now = Limit(terms), 0
    for gap, taken in calls:
        now += gap
        take((limit,), now, (taken, taken, 0))
    wait = limit.wait_us(now, cost)
    if wait < 0:
        assert cost > limit.burst
    else:
        assert limit.after(now + wait, cost) >= 0
        assert wait == 0 or limit.after(now + wait - 1, cost) < 0


@given(st.lists(TERMS, min_size=1, max_size=4), CALLS)
def test_a_refused_call_takes_nothing_anywhere(
    all_terms: list[LimitTerms], calls: list[tuple[int, int]]
) -> None:
    limits, now = [Limit(terms) for terms in all_terms], 0
    for gap, cost in calls:
        now += gap
        before = [limit.arrival for limit in limits]
        refuser = refusing(limits, now, (1, cost, 0))
        assert take(limits, now, (1, cost, 0)) is (refuser is None)
        if refuser is None:
            assert all(limit.arrival > old for limit, old in zip(limits, before, strict=True))
        else:
            assert [limit.arrival for limit in limits] == before


def test_settling_gives_back_units_but_never_requests() -> None:
    requests = Limit(LimitTerms("r", "requests", 10, 1))
    units = Limit(LimitTerms("u", "units", 100, 1))
    take((requests, units), 0, (1, 60, 0))
    settle((requests, units), (1, 60, 0), (1, 10, 0))
    assert requests.left(0) == 9
    assert units.left(0) == 90


@pytest.mark.parametrize(
    "terms",
    [LimitTerms("x", "apples", 1, 1), LimitTerms("x", "requests", 0, 1), LimitTerms("x", "requests", 1, 0)],
)
def test_a_limit_that_could_not_hold_is_refused(terms: LimitTerms) -> None:
    with pytest.raises(ValueError, match="limit 'x'"):
        Limit(terms)
