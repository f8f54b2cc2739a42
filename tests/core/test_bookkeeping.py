"""The journal balances, whatever is in it."""

import csv
import datetime as dt
import io

from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core import bookkeeping

DAY = dt.date(2027, 1, 31)
LINES = st.lists(st.tuples(st.integers(-(10**6), 10**6), st.sampled_from([0, 700, 1900])), max_size=5)


@given(LINES, st.sampled_from(["payment", "refund", "dispute"]), st.integers(0, 10**6))
def test_debit_and_credit_are_the_same(lines: list[tuple[int, int]], what: str, moved: int) -> None:
    rows = bookkeeping.of_document(
        on=DAY,
        number="N-1",
        kind="invoice",
        order="TK-1",
        currency="EUR",
        lines=[(gross, gross * rate // (10_000 + rate), rate) for gross, rate in lines],
        note="",
    )
    rows += bookkeeping.of_money(
        on=DAY, order="TK-1", provider="stripe", amount_minor=moved, currency="EUR", what=what
    )
    assert sum(bookkeeping.balances(rows).values()) == 0
    assert all(row.amount_minor > 0 for row in rows)


def test_the_file_reads_back() -> None:
    rows = bookkeeping.of_document(
        on=DAY,
        number="N-1",
        kind="invoice",
        order="TK-1",
        currency="EUR",
        lines=[(11900, 1900, 1900)],
        note="",
    )
    found = list(csv.DictReader(io.StringIO(bookkeeping.to_csv(rows))))
    assert [(r["debit"], r["credit"], r["amount"]) for r in found] == [
        ("receivable", "revenue:1900", "100.00"),
        ("receivable", "tax:1900", "19.00"),
    ]


def test_reverse_charge_has_a_revenue_account_of_its_own() -> None:
    (row,) = bookkeeping.of_document(
        on=DAY,
        number="N-1",
        kind="invoice",
        order="TK-1",
        currency="EUR",
        lines=[(10000, 0, 0)],
        note="reverse_charge",
    )
    assert row.credit == "revenue:reverse_charge"
