"""Spent, held and left always make up what was drawn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.gate.lease_book import Holds, Lease, Purse

STEP = st.one_of(
    st.tuples(st.just("draw"), st.integers(1, 50)),
    st.tuples(st.just("hold"), st.integers(0, 60)),
    st.tuples(st.just("settle"), st.integers(0, 80)),
    st.tuples(st.just("sweep"), st.integers(0, 8_000_000)),
)


@given(st.lists(STEP, max_size=60))
def test_spent_and_left_make_up_what_was_drawn(steps: list[tuple[str, int]]) -> None:
    purse, now = Purse(1, "calls"), 0
    known: dict[bytes, Lease] = {}
    returned: dict[bytes, int] = {}
    charged: dict[bytes, int] = {}
    open_calls: list[tuple[Holds, int]] = []
    for step, number in steps:
        if step == "draw":
            lease = Lease(len(known).to_bytes(16), number, now + 30_000_000)
            known[lease.id] = lease
            purse.add(lease)
        elif step == "hold":
            before = purse.left
            holds = purse.hold(number, now)
            if holds is None:
                assert before < number or any(x.expires_at <= now + 2_000_000 for x in purse.leases)
            else:
                assert sum(part for _, part in holds) == number
                open_calls.append((holds, number))
        elif step == "settle" and open_calls:
            holds, held = open_calls.pop(number % len(open_calls))
            parts, unpaid = purse.settle(holds, number)
            assert sum(part for _, part in parts) + unpaid == number
            assert unpaid == 0 or number > held
            for lease_id, part in parts:
                assert lease_id not in returned, "nothing is settled on a lease that is closed"
                charged[lease_id] = charged.get(lease_id, 0) + part
        elif step == "sweep":
            now += number
            for lease in purse.sweep(now)[1]:
                assert lease.open_calls == 0
                returned[lease.id] = lease.left
        for lease in known.values():
            held_here = sum(part for holds, _ in open_calls for owner, part in holds if owner is lease)
            assert lease.left >= 0
            assert lease.left + held_here + lease.settled == lease.drawn
            assert lease.settled == charged.get(lease.id, 0)


def test_nothing_is_held_on_a_lease_near_its_end() -> None:
    purse = Purse(1, "calls")
    purse.add(Lease(b"a" * 16, 10, 10_000_000))
    assert purse.hold(1, 7_000_000) is not None
    assert purse.hold(1, 8_000_000) is None


def test_a_call_may_be_held_on_two_leases() -> None:
    purse = Purse(1, "calls")
    purse.add(Lease(b"a" * 16, 3, 60_000_000))
    purse.add(Lease(b"b" * 16, 3, 60_000_000))
    holds = purse.hold(5, 0)
    assert holds is not None
    assert purse.settle(holds, 4) == (((b"a" * 16, 3), (b"b" * 16, 1)), 0)
    assert purse.left == 2


def test_a_lease_in_use_is_renewed_and_an_idle_one_goes_back() -> None:
    purse = Purse(1, "calls")
    purse.add(Lease(b"a" * 16, 3, 30_000_000))
    purse.hold(1, 16_000_000)
    renew, over = purse.sweep(16_000_001)
    assert [lease.id for lease in renew] == [b"a" * 16]
    assert over == []
    purse.leases[0].open_calls = 0
    renew, over = purse.sweep(20_000_000)
    assert [lease.id for lease in over] == [b"a" * 16]
    assert purse.leases == []
