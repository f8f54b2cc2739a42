"""A chain of keyed hashes over entries: any change, loss or insertion breaks it.

Each entry's code is ``HMAC-SHA256(key, code before | canonical entry)``. Without the key
nobody can forge a code; a *head* that was published elsewhere shows if the end was cut off.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

GENESIS = "0" * 64
"""The code before the first entry."""


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as the chain sees it: its number from 1, its parts in order, its code in hex."""

    seq: int
    parts: tuple[str, ...]
    mac: str


@dataclass(frozen=True, slots=True)
class Head:
    """A published end of the chain."""

    seq: int
    mac: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check found: ``entries`` counted, ``broken`` the number of the first bad one or None."""

    entries: int
    last: Head
    broken: int | None = None
    reason: str = ""

    @property
    def ok(self) -> bool:
        return self.broken is None


def canonical(seq: int, parts: Sequence[str]) -> bytes:
    """One entry as bytes in which no part can run into the next: lengths come first."""
    made = [str(seq).encode(), *(part.encode() for part in parts)]
    return b"".join(len(part).to_bytes(4, "big") + part for part in made)


def seal(key: bytes, before: str, seq: int, parts: Sequence[str]) -> str:
    """The code of an entry that follows the code ``before``; both in hex."""
    return hmac.new(key, before.encode() + canonical(seq, parts), hashlib.sha256).hexdigest()


def verify(
    key: bytes, links: Iterable[Link], heads: Iterable[Head] = (), start: Head = Head(0, GENESIS)
) -> Verdict:
    """Walk the chain from ``start`` (exclusive) and compare it with heads published elsewhere.

    Heads older than ``start`` are passed over. Bounded memory: the links may be a cursor.
    """
    expected = {head.seq: head.mac for head in heads if head.seq >= start.seq}
    before, seq, count = start.mac, start.seq, 0
    if expected.get(seq, before) != before:
        return Verdict(0, start, seq, "the beginning is not the published head")
    for link in links:
        if link.seq != seq + 1:
            return Verdict(count, Head(seq, before), seq + 1, "an entry is missing")
        mac = seal(key, before, link.seq, link.parts)
        if not hmac.compare_digest(mac, link.mac):
            return Verdict(count, Head(seq, before), link.seq, "the entry was changed")
        if expected.get(link.seq, mac) != mac:
            return Verdict(count, Head(seq, before), link.seq, "the entry is not the published head")
        before, seq, count = mac, link.seq, count + 1
    beyond = [head for head in expected if head > seq]
    if beyond:
        return Verdict(count, Head(seq, before), seq + 1, "the end was cut off")
    return Verdict(count, Head(seq, before))
