"""The text of an API key: a prefix one can search for, randomness, a checksum.

``tk_live_`` + 32 base-62 characters (190 random bits) + 6 base-62 characters of
CRC-32 over all before them. The checksum lets a gate refuse typing mistakes and
a scanner confirm a leak without asking any table; it is no secret. Stored is
only a keyed BLAKE2b hash (RFC 7693) of the whole text.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass

PREFIXES = ("tk_live_", "tk_test_")
DIGEST_BYTES = 16
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY = 32
_CHECK = 6
_SHAPE = re.compile(rb"tk_(?:live|test)_[0-9A-Za-z]{38}")


@dataclass(frozen=True, slots=True)
class KeyText:
    """A whole key. ``repr`` never shows it."""

    text: str

    def __repr__(self) -> str:
        return f"KeyText({redact(self.text)})"


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))


def mint(randomness: bytes, prefix: str = "tk_live_") -> KeyText:
    """Make a key from 24 or more random bytes.

    Raises ``ValueError`` for too little randomness or an unknown prefix.
    """
    if len(randomness) < 24:
        raise ValueError("a key needs at least 24 random bytes")
    if prefix not in PREFIXES:
        raise ValueError(f"unknown key prefix {prefix!r}")
    head = prefix + _base62(int.from_bytes(randomness), _BODY)
    return KeyText(head + _base62(zlib.crc32(head.encode()), _CHECK))


def well_formed(text: bytes) -> bool:
    """True if the shape and the checksum are right; says nothing about existence."""
    if _SHAPE.fullmatch(text) is None:
        return False
    head, check = text[:-_CHECK], text[-_CHECK:]
    return _base62(zlib.crc32(head), _CHECK).encode() == check


def digest(text: bytes, pepper: bytes) -> bytes:
    """Keyed hash of a key, 16 bytes: what the directory is looked up by."""
    return hashlib.blake2b(text, digest_size=DIGEST_BYTES, key=pepper).digest()


def redact(text: str) -> str:
    """What may be shown after the first time: the prefix and the last four characters."""
    return f"{text[:8]}…{text[-4:]}"
