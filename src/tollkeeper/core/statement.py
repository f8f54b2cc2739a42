"""Reading a bank's CSV file: rows, amounts, and the order number that a payer wrote. Pure."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import re
from dataclasses import dataclass

from tollkeeper.core.money import BadAmount, parse

NUMBER = re.compile(r"TK[\s.-]*([2-9A-HJ-NP-Z]{5})[\s.-]*([2-9A-HJ-NP-Z]{5})")
"""Payers leave out hyphens, add blanks, write small letters; the number survives it."""

COLUMNS = {
    "date": ("date", "booking date", "booked", "buchungstag", "valuta", "datum"),
    "amount": ("amount", "betrag", "value"),
    "currency": ("currency", "währung", "waehrung"),
    "text": ("text", "reference", "purpose", "verwendungszweck", "description", "details"),
}
FORMATS = ("%Y-%m-%d", "%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y")
MAX_BYTES = 8 * 1024 * 1024


class BadStatement(ValueError):
    """The file cannot be read; ``mistakes`` names each line that is wrong. Nothing was taken from it."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("; ".join(mistakes[:5]))
        self.mistakes = mistakes


@dataclass(frozen=True, slots=True)
class Transfer:
    """One incoming line. ``order`` is our number or empty; ``print`` tells the same line again.

    The payer's name and words are not kept.
    """

    line: int
    booked_on: dt.date
    amount_minor: int
    currency: str
    order: str
    print: str


def read(content: bytes, currency: str) -> tuple[Transfer, ...]:
    """Incoming transfers of a CSV file in UTF-8 or Latin-1; raises :class:`BadStatement`.

    ``currency`` is meant where the file names none. The same line twice in one file is two
    transfers; the same file twice gives the same prints.
    """
    if len(content) > MAX_BYTES:
        raise BadStatement(["the file is larger than 8 MiB"])
    text = _decoded(content)
    sample = text[:4096]
    delimiter = max(";,\t", key=sample.count)
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    if not rows:
        raise BadStatement(["the file is empty"])
    places = _places(rows[0])
    found: list[Transfer] = []
    mistakes: list[str] = []
    twins: dict[str, int] = {}
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        try:
            transfer = _transfer(number, row, places, currency, twins)
        except (ValueError, IndexError) as error:
            mistakes.append(f"line {number}: {error}")
            continue
        if transfer.amount_minor > 0:
            found.append(transfer)
    if mistakes:
        raise BadStatement(mistakes)
    return tuple(found)


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _places(header: list[str]) -> dict[str, int]:
    names = [cell.strip().lower() for cell in header]
    places = {
        column: names.index(word)
        for column, words in COLUMNS.items()
        for word in reversed(words)
        if word in names
    }
    missing = [column for column in ("date", "amount", "text") if column not in places]
    if missing:
        raise BadStatement([f"line 1: no column for {', '.join(missing)}"])
    return places


def _transfer(
    number: int, row: list[str], places: dict[str, int], currency: str, twins: dict[str, int]
) -> Transfer:
    given = row[places["currency"]].strip().upper() if "currency" in places else ""
    money = given or currency
    day, amount = _day(row[places["date"]]), _amount(row[places["amount"]], money)
    text = row[places["text"]]
    match = NUMBER.search(text.upper())
    core = f"{day}|{amount}|{money}|{text}"
    twins[core] = twins.get(core, 0) + 1
    mark = hashlib.sha256(f"{core}|{twins[core]}".encode()).hexdigest()
    return Transfer(number, day, amount, money, f"TK-{match[1]}-{match[2]}" if match else "", mark)


def _day(text: str) -> dt.date:
    for form in FORMATS:
        try:
            return dt.datetime.strptime(text.strip(), form).replace(tzinfo=dt.UTC).date()
        except ValueError:
            continue
    raise ValueError(f"{text!r} is no date")


def _amount(text: str, currency: str) -> int:
    digits = re.sub(r"[\s'\u00a0+]", "", text)
    if "," in digits and ("." not in digits or digits.rindex(",") > digits.rindex(".")):
        digits = digits.replace(".", "").replace(",", ".")
    else:
        digits = digits.replace(",", "")
    try:
        return parse(digits, currency)
    except BadAmount as error:
        raise ValueError(str(error)) from error
