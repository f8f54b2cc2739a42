"""What an answer tells of limits is what is left of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core.limits import take
from tollkeeper.core.terms import GateTerms, KeyTerms, LimitTerms
from tollkeeper.gate import admission
from tollkeeper.gate.directory import Customer, Grant, Key
from tollkeeper.gate.routes import RouteTable

TERMS = st.builds(
    LimitTerms,
    name=st.sampled_from(["minute", "100%", "a;r=b", "%d"]),
    unit=st.sampled_from(["requests", "units"]),
    amount=st.integers(1, 1000),
    window_s=st.integers(1, 3600),
    burst=st.integers(0, 50),
)


def key_with(*limits: LimitTerms) -> Key:
    grant = Grant(KeyTerms(plan="p", limits=limits), RouteTable(GateTerms(shop="s", routes=(), upstreams=())))
    return Key(1, Customer(1, 1), grant, "active", "", 0, b"t")


@given(
    st.lists(TERMS, min_size=1, max_size=3, unique=True),
    st.lists(st.tuples(st.integers(0, 9_000_000), st.integers(1, 20)), max_size=20),
)
def test_the_fields_tell_what_is_left(limits: list[LimitTerms], calls: list[tuple[int, int]]) -> None:
    key, now = key_with(*limits), 0
    for gap, cost in [(0, 0), *calls]:
        now += gap
        take(key.limits, now, (cost, cost, 0))
        told = [(x.left(now), -(-x.full_in_us(now) // 1_000_000)) for x in key.limits]
        items = b", ".join(
            b'"%b";r=%d;t=%d' % (x.name.encode(), *n) for x, n in zip(key.limits, told, strict=True)
        )
        policy = b", ".join(x.policy for x in key.limits)
        assert admission.limit_fields(key, now) == (
            b"\r\nRateLimit-Policy: %b\r\nRateLimit: %b\r\nX-RateLimit-Limit: %d"
            b"\r\nX-RateLimit-Remaining: %d\r\nX-RateLimit-Reset: %d"
            % (policy, items, key.limits[0].amount, *told[0])
        )


def test_without_limits_nothing_is_told() -> None:
    assert admission.limit_fields(key_with(), 5) == b""
