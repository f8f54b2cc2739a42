"""How surely somebody must have shown who they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core import identity
from tollkeeper.core.identity import Risk, needed, reached

KINDS = st.sampled_from(
    ["access", "portability", "know", "rectify", "erase", "restrict", "opt_out", "object", "other"]
)
RISKS = st.builds(Risk, st.booleans(), st.booleans(), st.booleans())


@pytest.mark.parametrize("kind", ["opt_out", "limit", "object", "withdraw", "complaint", "other", "minor"])
@given(risk=RISKS)
def test_what_reveals_nothing_needs_nothing(kind: str, risk: Risk) -> None:
    assert needed(kind, risk) == identity.OPEN


@pytest.mark.parametrize("kind", ["access", "portability", "know", "rectify", "erase"])
def test_a_copy_or_an_end_needs_more_than_an_address(kind: str) -> None:
    assert needed(kind, Risk(account=True)) == identity.SIGNED_IN
    assert needed(kind, Risk(account=True, raised=True)) == identity.EVIDENCE
    assert needed(kind, Risk(account=True, could_show_more=False)) == identity.ADDRESS
    assert needed(kind, Risk(account=False)) == identity.ADDRESS


def test_being_left_alone_needs_the_address_only() -> None:
    assert needed("restrict", Risk(account=True, raised=True)) == identity.ADDRESS


@given(KINDS, RISKS)
def test_more_risk_never_needs_less(kind: str, risk: Risk) -> None:
    assert needed(kind, Risk(risk.account, risk.could_show_more, True)) >= needed(kind, risk)


@given(st.lists(st.sampled_from(sorted(identity.WAYS))))
def test_what_was_shown_is_not_lost(ways: list[str]) -> None:
    level = 0
    for way in ways:
        assert reached(level, way) >= level
        level = reached(level, way)
    assert level == max([identity.WAYS[way] for way in ways], default=0)
