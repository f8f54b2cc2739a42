"""How the gate's journal is packed; :mod:`tollkeeper.core.journal` says what is in it, and reads it.

Apart from it because a call is packed twice: this file is compiled where that can be.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Final

MAGIC: Final = b"TKJ1"
METHODS = ("OTHER", "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
"""Index = number in the record."""

ESTIMATED: Final = 1
"""Flag of ``Settled``: the units were counted by the gate, not reported by the upstream."""
ABSENT: Final = 2
"""Flag of ``Settled``: the upstream reported no usage, the hold was charged by rule."""
STREAMED: Final = 4
"""Flag of ``Settled``: the answer was a stream of events."""

Parts = tuple[tuple[bytes, int], ...]
"""Pairs of lease id (16 bytes of its UUID) and micro-units; empty for a free call."""

HEADER: Final = struct.Struct("<4sIIQ")
ADMIT_FORM: Final = struct.Struct("<BQQQQB")
SETTLE_FORM: Final = struct.Struct("<BQQQQIHBBBQQIIIIQ")
CLOSE_FORM: Final = struct.Struct("<B16sQQ")
CALLER_FORM: Final = struct.Struct("<BQ72s")
PART_FORM: Final = struct.Struct("<16sQ")
# The same forms as they are packed: what both records share, and the counts of tokens, are bytes already.
_IDS_FORM: Final = struct.Struct("<QQQQ")
_TOKENS_FORM: Final = struct.Struct("<IIII")
_NO_TOKENS: Final = bytes(_TOKENS_FORM.size)
_ADMIT_ON_ANY: Final = struct.Struct("<B32sB")
_SETTLE_ON_ANY: Final = struct.Struct("<B32sIHBBBQQ16sQ")
_ADMIT_ON_ONE: Final = struct.Struct("<B32sB" + "B16sQ")
_SETTLE_ON_ONE: Final = struct.Struct("<B32sIHBBBQQ16sQ" + "B16sQ")
"""With the one lease that nearly every call is held on."""
ADMITTED: Final = 1
SETTLED: Final = 2
CLOSED: Final = 3
CALLER: Final = 4
"""The kind of a record: its first byte."""
U32: Final = 0xFFFF_FFFF
_METHOD_NUMBERS: Final = {name.encode(): number for number, name in enumerate(METHODS)}


def method_number(method: bytes) -> int:
    """The number of a method in records; 0 for one that has none."""
    return _METHOD_NUMBERS.get(method, 0)


def short(text: str) -> bytes:
    """A text of up to 255 bytes with its length before it; longer ones are cut."""
    raw = text.encode()
    if len(raw) > 255:
        raw = raw[:255].decode(errors="ignore").encode()
    return bytes((len(raw),)) + raw


def _pack_parts(parts: Parts) -> bytes:
    if len(parts) > 255:
        raise ValueError("a call cannot be held on more than 255 leases")
    return bytes((len(parts),)) + b"".join([PART_FORM.pack(*part) for part in parts])


def pack_ids(call_id: int, key_id: int, customer_id: int, at: int) -> bytes:
    """What both records of a call begin with, after their kind; packed once for both."""
    return _IDS_FORM.pack(call_id, key_id, customer_id, at)


def pack_admitted(ids: bytes, method: int, parts: Parts, names: bytes) -> bytes:
    """One ``Admitted`` record; ``names`` is ``short(route) + short(unit)``."""
    if len(parts) == 1:
        lease_id, units = parts[0]
        return _ADMIT_ON_ONE.pack(ADMITTED, ids, method, 1, lease_id, units) + names
    return _ADMIT_ON_ANY.pack(ADMITTED, ids, method) + _pack_parts(parts) + names


def pack_settled(  # noqa: PLR0913 - a record of many fields, packed once per call
    ids: bytes,
    latency_us: int,
    status: int,
    outcome: int,
    flags: int,
    method: int,
    bytes_in: int,
    bytes_out: int,
    tokens: tuple[int, int, int, int],
    unpaid: int,
    parts: Parts,
    names: bytes,
    model: bytes = b"\x00",
) -> bytes:
    """One ``Settled`` record; ``names`` as for an admission, ``model`` is ``short(model)``."""
    latency_us = min(latency_us, U32)
    counts = _NO_TOKENS
    if tokens[0] or tokens[1] or tokens[2] or tokens[3]:
        counts = _TOKENS_FORM.pack(*[min(count, U32) for count in tokens])
    if len(parts) == 1:
        lease_id, units = parts[0]
        head = _SETTLE_ON_ONE.pack(
            SETTLED,
            ids,
            latency_us,
            status,
            outcome,
            flags,
            method,
            bytes_in,
            bytes_out,
            counts,
            unpaid,
            1,
            lease_id,
            units,
        )
        return head + names + model
    head = _SETTLE_ON_ANY.pack(
        SETTLED, ids, latency_us, status, outcome, flags, method, bytes_in, bytes_out, counts, unpaid
    )
    return head + _pack_parts(parts) + names + model


def pack_lease_closed(lease_id: bytes, customer_id: int, at: int) -> bytes:
    """One ``LeaseClosed`` record."""
    return CLOSE_FORM.pack(CLOSED, lease_id, customer_id, at)


def pack_caller(call_id: int, sealed: bytes) -> bytes:
    """One ``Caller`` record."""
    return CALLER_FORM.pack(CALLER, call_id, sealed)


def seed(seq: int) -> int:
    """Both halves of a sequence number in 32 bits, so that the CRC notices a flipped bit in either."""
    return (seq ^ (seq >> 32)) & U32


def frame(records: Sequence[bytes], seq: int) -> bytes:
    """The bytes to append for the records of one tick."""
    body = b"".join(records)
    return HEADER.pack(MAGIC, len(body), zlib.crc32(body, seed(seq)), seq) + body
