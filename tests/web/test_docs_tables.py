"""The portal's tables say what the gate really does."""

from __future__ import annotations

from tollkeeper.core.charges import TABLE, Outcome, Rule
from tollkeeper.gate.answers import REFUSALS
from tollkeeper.web import docs_tables


def test_every_refusal_of_the_gate_is_explained_and_no_other() -> None:
    assert {error.code: error.status for error in docs_tables.ERRORS} == {
        code: refusal.status for code, refusal in REFUSALS.items()
    }


def test_errors_are_in_the_order_of_their_status() -> None:
    statuses = [error.status for error in docs_tables.ERRORS]
    assert statuses == sorted(statuses)


def test_every_ending_has_words_and_the_rule_in_force() -> None:
    assert set(docs_tables.ENDINGS) == set(Outcome)
    assert set(docs_tables.RULES) == set(Rule)
    assert set(docs_tables.PROTOCOLS) == set(TABLE)
    rows = dict(docs_tables.charges(("rest", "openai")))
    cells = rows[docs_tables.ENDINGS[Outcome.UPSTREAM_CUT]]
    assert [rule for rule, _ in cells] == [
        TABLE["rest"][Outcome.UPSTREAM_CUT],
        TABLE["openai"][Outcome.UPSTREAM_CUT],
    ]
