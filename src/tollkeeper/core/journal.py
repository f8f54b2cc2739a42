"""The gate's journal as bytes: what the gate appends and the worker takes into the book.

A segment is a file of frames. A frame is ``magic, length, crc32, seq`` (20 bytes,
little endian) and a body of records; its CRC is seeded with the sequence number,
which starts at 1 in each segment and grows by 1, so that a frame can be neither
altered nor repeated nor left out unseen. Records:

- ``Admitted``: units are held for a call that may now reach the upstream;
- ``Settled``: what that call cost in the end, exactly once per admission;
- ``Caller``: where a call came from, sealed to the day's key (``core.addresses``);
- ``LeaseClosed``: nothing more will ever be settled on this lease.

Units are micro-units, instants are microseconds since the epoch. Nothing personal
is written that the gate could read again: no path, no query, no body, no open address.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence

import msgspec

MAGIC = b"TKJ1"
MAX_FRAME = 64 * 1024 * 1024
METHODS = ("OTHER", "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
"""Index = number in the record."""

ESTIMATED = 1
"""Flag of ``Settled``: the units were counted by the gate, not reported by the upstream."""
ABSENT = 2
"""Flag of ``Settled``: the upstream reported no usage, the hold was charged by rule."""
STREAMED = 4
"""Flag of ``Settled``: the answer was a stream of events."""

Parts = tuple[tuple[bytes, int], ...]
"""Pairs of lease id (16 bytes of its UUID) and micro-units; empty for a free call."""

_HEADER = struct.Struct("<4sIIQ")
_ADMIT = struct.Struct("<BQQQQB")
_SETTLE = struct.Struct("<BQQQQIHBBBQQIIIIQ")
_CLOSE = struct.Struct("<B16sQQ")
_CALLER = struct.Struct("<BQ72s")
_PART = struct.Struct("<16sQ")
_KIND_ADMIT, _KIND_SETTLE, _KIND_CLOSE, _KIND_CALLER = 1, 2, 3, 4
_U32 = 0xFFFF_FFFF


class Corrupt(Exception):
    """A segment is damaged before its end; the text says where. Nothing after it is believed."""


class Admitted(msgspec.Struct, frozen=True, gc=False):
    """Units are held: ``parts`` says on which lease how many."""

    call_id: int
    key_id: int
    customer_id: int
    at: int
    method: int
    parts: Parts
    route: str
    unit: str

    @property
    def held(self) -> int:
        """Micro-units held in all."""
        return sum(amount for _, amount in self.parts)


class Settled(msgspec.Struct, frozen=True, gc=False):
    """What a call cost: ``parts`` says from which lease how many, summing to ``units``.

    ``at`` is when the call was admitted. ``outcome`` is a ``core.charges.Outcome``.
    ``unpaid`` is what exceeded both hold and lease and was therefore not taken.
    Token counts are zero for meters that do not count tokens.
    """

    call_id: int
    key_id: int
    customer_id: int
    at: int
    latency_us: int
    status: int
    outcome: int
    flags: int
    method: int
    bytes_in: int
    bytes_out: int
    tokens_in: int
    tokens_out: int
    cache_read: int
    cache_write: int
    unpaid: int
    parts: Parts
    route: str
    unit: str
    model: str

    @property
    def units(self) -> int:
        """Micro-units charged in all."""
        return sum(amount for _, amount in self.parts)

    @property
    def estimated(self) -> bool:
        """True if the upstream did not report the usage itself."""
        return bool(self.flags & (ESTIMATED | ABSENT))


class LeaseClosed(msgspec.Struct, frozen=True, gc=False):
    """The last record of a lease: what it did not settle goes back to its grants."""

    lease_id: bytes
    customer_id: int
    at: int


class Caller(msgspec.Struct, frozen=True, gc=False):
    """The address a call came from, as 72 sealed bytes; written beside its admission."""

    call_id: int
    sealed: bytes


Record = Admitted | Settled | LeaseClosed | Caller


def method_number(method: bytes) -> int:
    """The number of a method in records; 0 for one that has none."""
    return _METHOD_NUMBERS.get(method, 0)


_METHOD_NUMBERS = {name.encode(): number for number, name in enumerate(METHODS)}


def request_prefix(gate_id: str) -> str:
    """What every request id of a gate begins with."""
    return "req_" + hashlib.blake2b(gate_id.encode(), digest_size=4).hexdigest()


def request_id(gate_id: str, call_id: int) -> str:
    """The public id of a call: unique over all gates and for ever, sorted by time per gate."""
    return f"{request_prefix(gate_id)}{call_id:016x}"


def first_call_id(epoch_us: int) -> int:
    """Where a gate that starts at ``epoch_us`` begins to count.

    Sixteen ids fit in a microsecond, more than any gate can use, so a later
    start always begins above all ids used before.
    """
    return epoch_us * 16


def short(text: str) -> bytes:
    """A text of up to 255 bytes with its length before it; longer ones are cut."""
    raw = text.encode()
    if len(raw) > 255:
        raw = raw[:255].decode(errors="ignore").encode()
    return bytes((len(raw),)) + raw


def _pack_parts(parts: Parts) -> bytes:
    if len(parts) == 1:
        return b"\x01" + _PART.pack(*parts[0])
    if len(parts) > 255:
        raise ValueError("a call cannot be held on more than 255 leases")
    return bytes((len(parts),)) + b"".join([_PART.pack(*part) for part in parts])


def pack_admitted(
    call_id: int, key_id: int, customer_id: int, at: int, method: int, parts: Parts, names: bytes
) -> bytes:
    """One ``Admitted`` record; ``names`` is ``short(route) + short(unit)``."""
    head = _ADMIT.pack(_KIND_ADMIT, call_id, key_id, customer_id, at, method)
    return head + _pack_parts(parts) + names


def pack_settled(  # noqa: PLR0913 - a record of sixteen fields, packed once per call
    call_id: int,
    key_id: int,
    customer_id: int,
    at: int,
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
    head = _SETTLE.pack(
        _KIND_SETTLE,
        call_id,
        key_id,
        customer_id,
        at,
        min(latency_us, _U32),
        status,
        outcome,
        flags,
        method,
        bytes_in,
        bytes_out,
        min(tokens[0], _U32),
        min(tokens[1], _U32),
        min(tokens[2], _U32),
        min(tokens[3], _U32),
        unpaid,
    )
    return head + _pack_parts(parts) + names + model


def pack_lease_closed(lease_id: bytes, customer_id: int, at: int) -> bytes:
    """One ``LeaseClosed`` record."""
    return _CLOSE.pack(_KIND_CLOSE, lease_id, customer_id, at)


def pack_caller(call_id: int, sealed: bytes) -> bytes:
    """One ``Caller`` record."""
    return _CALLER.pack(_KIND_CALLER, call_id, sealed)


def _seed(seq: int) -> int:
    """Both halves of a sequence number in 32 bits, so that the CRC notices a flipped bit in either."""
    return (seq ^ (seq >> 32)) & _U32


def frame(records: Sequence[bytes], seq: int) -> bytes:
    """The bytes to append for the records of one tick."""
    body = b"".join(records)
    return _HEADER.pack(MAGIC, len(body), zlib.crc32(body, _seed(seq)), seq) + body


def encode(record: Record) -> bytes:
    """A record as bytes: what the packers of the gate write."""
    if isinstance(record, LeaseClosed):
        return pack_lease_closed(record.lease_id, record.customer_id, record.at)
    if isinstance(record, Caller):
        return pack_caller(record.call_id, record.sealed)
    names = short(record.route) + short(record.unit)
    if isinstance(record, Admitted):
        return pack_admitted(
            record.call_id,
            record.key_id,
            record.customer_id,
            record.at,
            record.method,
            record.parts,
            names,
        )
    return pack_settled(
        record.call_id,
        record.key_id,
        record.customer_id,
        record.at,
        record.latency_us,
        record.status,
        record.outcome,
        record.flags,
        record.method,
        record.bytes_in,
        record.bytes_out,
        (record.tokens_in, record.tokens_out, record.cache_read, record.cache_write),
        record.unpaid,
        record.parts,
        names,
        short(record.model),
    )


def read_frames(buffer: bytes, offset: int = 0) -> tuple[list[Record], int]:
    """Read whole frames from ``offset`` on; give the records and where to go on.

    Stops before a torn tail (a frame not wholly there, or a damaged last one: a
    gate died while writing it, and no answer depended on it). Raises ``Corrupt``
    if a frame is damaged and a whole one follows, or if a frame is missing.
    """
    records: list[Record] = []
    previous = 0
    while True:
        found = _frame_at(buffer, offset)
        if found is None:
            if _whole_frame_after(buffer, offset + 1):
                raise Corrupt(f"the journal is damaged at byte {offset}")
            return records, offset
        seq, end = found
        if previous and seq != previous + 1:
            raise Corrupt(f"the journal lacks frame {previous + 1} before byte {offset}")
        previous = seq
        _read_records(buffer, offset + _HEADER.size, end, records)
        offset = end


def _frame_at(buffer: bytes, offset: int) -> tuple[int, int] | None:
    if offset + _HEADER.size > len(buffer):
        return None
    magic, length, crc, seq = _HEADER.unpack_from(buffer, offset)
    start = offset + _HEADER.size
    if magic != MAGIC or length > MAX_FRAME or start + length > len(buffer):
        return None
    if zlib.crc32(buffer[start : start + length], _seed(seq)) != crc:
        return None
    return seq, start + length


def _whole_frame_after(buffer: bytes, offset: int) -> bool:
    while (offset := buffer.find(MAGIC, offset)) >= 0:
        if _frame_at(buffer, offset) is not None:
            return True
        offset += 1
    return False


def _read_records(buffer: bytes, at: int, end: int, records: list[Record]) -> None:
    try:
        while at < end:
            kind = buffer[at]
            if kind == _KIND_ADMIT:
                record, at = _read_admitted(buffer, at)
            elif kind == _KIND_SETTLE:
                record, at = _read_settled(buffer, at)
            elif kind == _KIND_CLOSE:
                _, lease_id, customer_id, closed_at = _CLOSE.unpack_from(buffer, at)
                record, at = LeaseClosed(lease_id, customer_id, closed_at), at + _CLOSE.size
            elif kind == _KIND_CALLER:
                _, call_id, sealed = _CALLER.unpack_from(buffer, at)
                record, at = Caller(call_id, sealed), at + _CALLER.size
            else:
                raise Corrupt(f"the journal has an unknown record {kind} at byte {at}")
            records.append(record)
    except (struct.error, IndexError, UnicodeDecodeError):
        raise Corrupt(f"the journal has a broken record at byte {at}") from None
    if at != end:
        raise Corrupt(f"a record runs over its frame at byte {end}")


def _read_admitted(buffer: bytes, at: int) -> tuple[Record, int]:
    _, call_id, key_id, customer_id, admitted_at, method = _ADMIT.unpack_from(buffer, at)
    parts, at = _read_parts(buffer, at + _ADMIT.size)
    route, at = _read_short(buffer, at)
    unit, at = _read_short(buffer, at)
    return Admitted(call_id, key_id, customer_id, admitted_at, method, parts, route, unit), at


def _read_settled(buffer: bytes, at: int) -> tuple[Record, int]:
    fields = _SETTLE.unpack_from(buffer, at)
    parts, at = _read_parts(buffer, at + _SETTLE.size)
    route, at = _read_short(buffer, at)
    unit, at = _read_short(buffer, at)
    model, at = _read_short(buffer, at)
    return Settled(*(*fields[1:], parts, route, unit, model)), at


def _read_parts(buffer: bytes, at: int) -> tuple[Parts, int]:
    count = buffer[at]
    start = at + 1
    parts = tuple(_PART.unpack_from(buffer, start + i * _PART.size) for i in range(count))
    return parts, start + count * _PART.size


def _read_short(buffer: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + buffer[at]
    if end > len(buffer):
        raise IndexError
    return buffer[at + 1 : end].decode(), end
