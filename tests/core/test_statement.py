"""Bank files of all kinds are read, or refused line by line."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core import statement

GERMAN = """Buchungstag;Betrag;Währung;Verwendungszweck
31.01.2027;1.234,56;EUR;Danke tk abcde-fghjk von Ada Lovelace
01.02.2027;-20,00;EUR;Gebühr
02.02.2027;5,00;EUR;ohne Nummer
"""


def test_a_german_file_is_read() -> None:
    one, two = statement.read(GERMAN.encode("latin-1"), "EUR")
    assert (one.booked_on, one.amount_minor, one.order) == (dt.date(2027, 1, 31), 123456, "TK-ABCDE-FGHJK")
    assert (two.order, two.amount_minor) == ("", 500)
    assert "Ada" not in repr(one)


@pytest.mark.parametrize(
    "text",
    ["TK-ABCDE-FGHJK", "tk abcde fghjk", "TKABCDEFGHJK", "Order: Tk.abcde.fghjk!", "x TK - ABCDE - FGHJK"],
)
def test_a_number_survives_how_people_write(text: str) -> None:
    (row,) = statement.read(f"date,amount,text\n2027-01-31,5.00,{text}\n".encode(), "EUR")
    assert row.order == "TK-ABCDE-FGHJK"


def test_the_same_line_twice_is_two_transfers_and_the_same_file_twice_is_one() -> None:
    text = b"date,amount,text\n2027-01-31,5.00,x\n2027-01-31,5.00,x\n"
    one, two = statement.read(text, "EUR")
    assert one.print != two.print
    assert [r.print for r in statement.read(text, "EUR")] == [one.print, two.print]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "empty"),
        (b"a,b,c\n1,2,3\n", "no column for date, amount, text"),
        (b"date,amount,text\nyesterday,5.00,x\n", "line 2: 'yesterday' is no date"),
        (b"date,amount,text\n2027-01-31,many,x\n", "line 2"),
        (b"date,amount,text\n2027-01-31\n", "line 2"),
        (b"date,amount,text\n2027-01-31,5.001,x\n", "line 2"),
        (b"x" * (8 * 1024 * 1024 + 1), "8 MiB"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(text: bytes, words: str) -> None:
    with pytest.raises(statement.BadStatement) as no:
        statement.read(text, "EUR")
    assert words in str(no.value)


def test_every_mistake_is_named() -> None:
    text = b"date,amount,text\nx,1,a\n2027-01-31,2.00,b\ny,1,c\n"
    with pytest.raises(statement.BadStatement) as no:
        statement.read(text, "EUR")
    assert len(no.value.mistakes) == 2


@given(st.binary(max_size=300))
def test_anything_is_read_or_refused(content: bytes) -> None:
    try:
        statement.read(b"date,amount,text\n" + content, "EUR")
    except statement.BadStatement:
        pass
