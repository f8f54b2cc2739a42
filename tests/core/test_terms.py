"""Facts cross borders as JSON and come back the same; what is not theirs is refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core import terms
from tollkeeper.core.terms import GateTerms, GrantTerms, KeyTerms, LineTerms, PlanTerms, PlanText, PriceTerms

WORD = st.text(max_size=12)
WORDS = st.lists(WORD, max_size=3).map(tuple)
AMOUNT = st.integers(0, 2**62)
LIMIT = st.builds(terms.LimitTerms, WORD, WORD, AMOUNT, AMOUNT, AMOUNT)
KEY = st.builds(
    KeyTerms, plan=WORD, limits=st.lists(LIMIT, max_size=2).map(tuple), routes=WORDS, concurrency=AMOUNT
)
GRANT = st.builds(GrantTerms, unit=WORD, amount=AMOUNT, lasts_days=st.none() | AMOUNT)
PRICE = st.builds(PriceTerms, id=WORD, currency=WORD, amount_minor=AMOUNT, period=st.none() | WORD)
PLAN = st.builds(
    PlanTerms,
    slug=WORD, version=AMOUNT, name=WORD, summary=WORD, features=WORDS, kind=WORD,
    prices=st.lists(PRICE, min_size=1, max_size=3, unique_by=lambda price: price.id).map(tuple),
    key=KEY, grants=st.lists(GRANT, max_size=2).map(tuple), period=st.none() | WORD,
    translations=st.dictionaries(WORD, st.builds(PlanText, name=WORD, features=WORDS), max_size=2),
)  # fmt: skip


@given(KEY)
def test_key_terms_come_back(key: KeyTerms) -> None:
    assert terms.decode_key_terms(terms.encode(key)) == key


@given(PLAN)
def test_plans_and_their_lines_come_back(plan: PlanTerms) -> None:
    assert terms.decode_plan_terms(terms.encode(plan)) == plan
    for price in plan.prices:
        line = plan.line(price.id)
        assert terms.decode_line_terms(terms.encode(line)) == line
        assert (line.plan, line.plan_version, line.key, line.grants) == (
            plan.slug, plan.version, plan.key, plan.grants,
        )  # fmt: skip
        assert line.period == (price.period or plan.period)


def test_gate_terms_come_back() -> None:
    gate = GateTerms(
        shop="s",
        routes=(terms.RouteTerms("r", "/v1/{id}", cost=0),),
        upstreams=(terms.UpstreamTerms("u", "http://u"),),
        models=(terms.ModelTerms("m", 600_000, 1_800_000, cache_read=0),),
    )
    assert terms.decode_gate_terms(terms.encode(gate)) == gate


def test_a_price_that_is_not_there() -> None:
    plan = PlanTerms("s", 1, "n", "", (), "pack", (PriceTerms("a", "EUR", 1),), KeyTerms("s"))
    assert plan.price("a").amount_minor == 1
    with pytest.raises(KeyError):
        plan.price("b")
    with pytest.raises(KeyError):
        plan.line("b")


@pytest.mark.parametrize(
    ("decode", "text"),
    [
        (terms.decode_key_terms, '{"plan": 1}'),
        (terms.decode_key_terms, "{}"),
        (terms.decode_line_terms, '{"plan": "p", "provisioner": "g", "key": {"plan": "p"}, "grants": [{}]}'),
        (terms.decode_plan_terms, "[]"),
        (terms.decode_gate_terms, '{"shop": "s", "routes": [], "upstreams": null}'),
    ],
)
def test_what_does_not_fit_is_refused(decode: object, text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        decode(text)  # type: ignore[operator]


def test_fields_unknown_to_this_version_are_skipped() -> None:
    """A newer writer may add fields; an older gate must go on reading."""
    assert terms.decode_key_terms('{"plan": "p", "later": 1}') == KeyTerms("p")
    assert LineTerms("p", "gate_key", KeyTerms("p")).kind == "pack"
