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

import msgspec

from tollkeeper.core import records as packing
from tollkeeper.core.records import (
    ABSENT,
    ESTIMATED,
    HEADER,
    MAGIC,
    Parts,
    pack_admitted,
    pack_caller,
    pack_ids,
    pack_lease_closed,
    pack_settled,
    short,
)

MAX_FRAME = 64 * 1024 * 1024


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


def encode(record: Record) -> bytes:
    """A record as bytes: what the packers of the gate write."""
    if isinstance(record, LeaseClosed):
        return pack_lease_closed(record.lease_id, record.customer_id, record.at)
    if isinstance(record, Caller):
        return pack_caller(record.call_id, record.sealed)
    names = short(record.route) + short(record.unit)
    ids = pack_ids(record.call_id, record.key_id, record.customer_id, record.at)
    if isinstance(record, Admitted):
        return pack_admitted(ids, record.method, record.parts, names)
    return pack_settled(
        ids,
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
        _read_records(buffer, offset + HEADER.size, end, records)
        offset = end


def _frame_at(buffer: bytes, offset: int) -> tuple[int, int] | None:
    if offset + HEADER.size > len(buffer):
        return None
    magic, length, crc, seq = HEADER.unpack_from(buffer, offset)
    start = offset + HEADER.size
    if magic != MAGIC or length > MAX_FRAME or start + length > len(buffer):
        return None
    if zlib.crc32(buffer[start : start + length], packing.seed(seq)) != crc:
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
            if kind == packing.ADMITTED:
                record, at = _read_admitted(buffer, at)
            elif kind == packing.SETTLED:
                record, at = _read_settled(buffer, at)
            elif kind == packing.CLOSED:
                _, lease_id, customer_id, closed_at = packing.CLOSE_FORM.unpack_from(buffer, at)
                record, at = LeaseClosed(lease_id, customer_id, closed_at), at + packing.CLOSE_FORM.size
            elif kind == packing.CALLER:
                _, call_id, sealed = packing.CALLER_FORM.unpack_from(buffer, at)
                record, at = Caller(call_id, sealed), at + packing.CALLER_FORM.size
            else:
                raise Corrupt(f"the journal has an unknown record {kind} at byte {at}")
            records.append(record)
    except (struct.error, IndexError, UnicodeDecodeError):
        raise Corrupt(f"the journal has a broken record at byte {at}") from None
    if at != end:
        raise Corrupt(f"a record runs over its frame at byte {end}")


def _read_admitted(buffer: bytes, at: int) -> tuple[Record, int]:
    _, call_id, key_id, customer_id, admitted_at, method = packing.ADMIT_FORM.unpack_from(buffer, at)
    parts, at = _read_parts(buffer, at + packing.ADMIT_FORM.size)
    route, at = _read_short(buffer, at)
    unit, at = _read_short(buffer, at)
    return Admitted(call_id, key_id, customer_id, admitted_at, method, parts, route, unit), at


def _read_settled(buffer: bytes, at: int) -> tuple[Record, int]:
    fields = packing.SETTLE_FORM.unpack_from(buffer, at)
    parts, at = _read_parts(buffer, at + packing.SETTLE_FORM.size)
    route, at = _read_short(buffer, at)
    unit, at = _read_short(buffer, at)
    model, at = _read_short(buffer, at)
    return Settled(*(*fields[1:], parts, route, unit, model)), at


def _read_parts(buffer: bytes, at: int) -> tuple[Parts, int]:
    form = packing.PART_FORM
    start = at + 1
    end = start + buffer[at] * form.size
    return tuple(form.unpack_from(buffer, place) for place in range(start, end, form.size)), end


def _read_short(buffer: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + buffer[at]
    if end > len(buffer):
        raise IndexError
    return buffer[at + 1 : end].decode(), end
