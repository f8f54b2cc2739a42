"""What a key may do: the best of what was delivered, cut with its customer's wishes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core.terms import KeyTerms, LimitTerms
from tollkeeper.delivery.keyring import NONE, BadWish, Own, best, check_own, narrow


def minute(amount: int, name: str = "minute", burst: int = 0) -> LimitTerms:
    return LimitTerms(name, "requests", amount, 60, burst)


DAY = LimitTerms("day", "requests", 1000, 86_400)


def test_the_best_of_several_terms_is_taken_point_by_point() -> None:
    free = KeyTerms("free", limits=(minute(10), DAY), concurrency=2, scopes=("read",), routes=("posts",))
    pro = KeyTerms("pro", limits=(minute(600),), concurrency=20, scopes=("read", "write"))
    assert best([free, pro]) == KeyTerms(
        "pro", limits=(minute(600),), concurrency=20, scopes=("read", "write"), routes=()
    )
    assert best([pro, free]).plan == "free"
    assert best([free, KeyTerms("wild")]).concurrency == 0


def test_terms_that_cannot_be_joined_are_refused() -> None:
    with pytest.raises(ValueError, match="no terms"):
        best([])
    with pytest.raises(ValueError, match="different units"):
        best([KeyTerms("a"), KeyTerms("b", unit="tokens")])


def test_wishes_only_narrow() -> None:
    terms = KeyTerms("pro", limits=(minute(600),), scopes=("read", "write"))
    cut = narrow(
        terms, Own(limits=(minute(5),), scopes=("read",), routes=("posts",), ip_ranges=("10.0.0.0/8",))
    )
    assert cut.limits == (minute(600), minute(5, "own-minute"))
    assert (cut.scopes, cut.routes, cut.ip_ranges) == (("read",), ("posts",), ("10.0.0.0/8",))


def test_a_wish_that_the_plan_has_lost_leaves_nothing_instead_of_everything() -> None:
    assert narrow(KeyTerms("free", scopes=("read",)), Own(scopes=("write",))).scopes == (NONE,)


names = st.lists(st.sampled_from("abcd"), unique=True, max_size=4).map(tuple)


@given(names, names, st.sampled_from("abcd"))
def test_nothing_is_allowed_that_either_forbids(
    allowed: tuple[str, ...], wished: tuple[str, ...], asked: str
) -> None:
    cut = narrow(KeyTerms("p", scopes=allowed), Own(scopes=wished)).scopes
    both = (not allowed or asked in allowed) and (not wished or asked in wished)
    assert (not cut or asked in cut) == both


@pytest.mark.parametrize(
    ("own", "field"),
    [
        (Own(scopes=("admin",)), "scopes"),
        (Own(ip_ranges=("10.0.0.0/33",)), "ip_ranges"),
        (Own(ip_ranges=("somewhere",)), "ip_ranges"),
        (Own(limits=(LimitTerms("x", "bananas", 1, 60),)), "limits"),
        (Own(limits=(LimitTerms("x", "requests", 0, 60),)), "limits"),
        (Own(limits=(LimitTerms("x", "requests", 1, 0),)), "limits"),
        (Own(limits=(minute(1), minute(2))), "limits"),
        (Own(limits=tuple(minute(1, str(n)) for n in range(9))), "limits"),
        (Own(ip_ranges=tuple(f"10.0.{n}.0/24" for n in range(101))), "ip_ranges"),
    ],
)
def test_wishes_that_cannot_be_are_refused(own: Own, field: str) -> None:
    with pytest.raises(BadWish) as refused:
        check_own(own, KeyTerms("pro", scopes=("read",)))
    assert refused.value.field == field


def test_address_ranges_are_made_canonical() -> None:
    own = check_own(Own(ip_ranges=(" 10.1.2.3/8 ", "10.0.0.0/8", "2001:DB8::1")), KeyTerms("pro"))
    assert own.ip_ranges == ("10.0.0.0/8", "2001:db8::1/128")
