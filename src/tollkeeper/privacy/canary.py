"""Looks for planted values everywhere they could lie: raw tables, files, caches, packed forms.

A canary is a value that occurs nowhere else (an invented address, a card number, a line of
text). The scan knows what a value looks like after common packings: upper and lower case,
URL quoting, JSON escapes, hex, base 64 at any offset, UTF-16, and compressed sessions.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

from django.db import connections

CHUNK = 1 << 20
_ROWS = 500
_START = 8
_MANY = 300
"""Forms beyond which one pass over the data is faster than a search for each."""


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a canary was found: ``default: account_emailaddress.email`` or a path; never the value."""

    place: str
    needle: int
    """Which needle, counted from 0: the value itself is not repeated."""


def forms(needle: str) -> frozenset[bytes]:
    """What ``needle`` looks like in storage, all in lower case but the base 64 forms."""
    texts = {needle, needle.lower(), needle.upper()}
    found: set[bytes] = set()
    for text in texts:
        raw = text.encode()
        plain = {raw, quote(text).encode(), quote_plus(text).encode(), json.dumps(text)[1:-1].encode()}
        plain |= {raw.hex().encode(), text.encode("utf-16-le")}
        found |= {one.lower() for one in plain}
        for shift in range(3):
            coded = base64.b64encode(b"\0" * shift + raw)
            # the characters that depend on no byte before or after: whole groups of six bits
            core = coded[-(-8 * shift // 6) : 8 * (shift + len(raw)) // 6]
            if len(core) >= 8:
                found |= {core, core.translate(bytes.maketrans(b"+/", b"-_"))}
    return frozenset(found)


class Scanner:
    """Holds the forms of all needles; ``holds(data)`` yields the numbers of those that occur."""

    def __init__(self, needles: Iterable[str]) -> None:
        self.patterns = [forms(needle) for needle in needles]
        self.longest = max((len(form) for group in self.patterns for form in group), default=1)

        self.starts: dict[bytes, list[tuple[int, bytes]]] = {}
        every = [form for group in self.patterns for form in group]
        if len(every) > _MANY and min(map(len, every)) >= _START:
            for number, group in enumerate(self.patterns):
                for form in group:
                    self.starts.setdefault(form[:_START], []).append((number, form))

    def _holds_of_many(self, data: bytes) -> Iterator[int]:
        """One pass over the data for any number of needles, by the first bytes of their forms."""
        seen: set[int] = set()
        starts = self.starts
        for text in {data, data.lower()}:
            for place in range(len(text) - _START + 1):
                found = starts.get(text[place : place + _START])
                if found is not None:
                    seen |= {number for number, form in found if text.startswith(form, place)}
        yield from sorted(seen)

    def holds(self, data: bytes) -> Iterator[int]:
        if self.starts:
            yield from self._holds_of_many(data)
            return
        low = data.lower()
        for number, group in enumerate(self.patterns):
            if any(form in data or form in low for form in group):
                yield number

    def scan_value(self, value: Any, place: str) -> Iterator[Hit]:
        """One raw value of a table, and what it holds when unpacked."""
        seen = {number for data in _unpacked(value) for number in self.holds(data)}
        for number in sorted(seen):
            yield Hit(place, number)

    def scan_file(self, path: Path) -> Iterator[Hit]:
        """A file, in pieces that overlap by the longest form."""
        seen: set[int] = set()
        tail = b""
        try:
            with path.open("rb") as file:
                while piece := file.read(CHUNK):
                    seen.update(self.holds(tail + piece))
                    tail = piece[-self.longest :]
        except FileNotFoundError:
            return  # gone since it was listed: a rotated log, a temporary file
        for number in sorted(seen):
            yield Hit(str(path), number)

    def scan_folder(self, folder: Path, leave_out: Iterable[Path] = ()) -> Iterator[Hit]:
        """Every file under a folder but those under ``leave_out``."""
        skipped = [path.resolve() for path in leave_out]
        for path in sorted(folder.rglob("*")):
            resolved = path.resolve()
            if path.is_file() and not any(resolved.is_relative_to(skip) for skip in skipped):
                yield from self.scan_file(path)

    def scan_database(self, alias: str, tables: Iterable[str] | None = None) -> Iterator[Hit]:
        """Every value of every row of every table, as the driver gives it."""
        connection = connections[alias]
        with connection.cursor() as cursor:
            names = list(tables) if tables is not None else connection.introspection.table_names(cursor)
            for table in names:
                cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608
                columns = [column[0] for column in cursor.description]
                while rows := cursor.fetchmany(_ROWS):
                    for row in rows:
                        for column, value in zip(columns, row, strict=True):
                            yield from self.scan_value(value, f"{alias}: {table}.{column}")


def _unpacked(value: Any) -> Iterator[bytes]:
    if value is None or isinstance(value, bool | int | float):
        return
    raw = bytes(value) if isinstance(value, bytes | memoryview | bytearray) else str(value).encode()
    yield raw
    # Django's own sessions: a dot, then compressed JSON in base 64, then a signature
    body = raw.split(b":", 1)[0].lstrip(b".")
    try:
        packed = base64.urlsafe_b64decode(body + b"=" * (-len(body) % 4))
    except (binascii.Error, ValueError):
        return
    yield packed
    try:
        yield zlib.decompress(packed)
    except zlib.error:
        return
