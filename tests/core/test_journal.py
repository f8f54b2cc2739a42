"""The journal survives torn tails and tells damage from them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core import journal, records
from tollkeeper.core.journal import Admitted, Caller, Corrupt, LeaseClosed, Settled

U64 = st.integers(0, 2**63 - 1)
U32 = st.integers(0, 2**32 - 1)
NAME = st.text(max_size=40)
PARTS = st.lists(st.tuples(st.binary(min_size=16, max_size=16), U64), max_size=4).map(tuple)
BYTE = st.integers(0, 255)
ADMITTED = st.builds(
    Admitted,
    call_id=U64,
    key_id=U64,
    customer_id=U64,
    at=U64,
    method=BYTE,
    parts=PARTS,
    route=NAME,
    unit=NAME,
)
SETTLED = st.builds(
    Settled,
    call_id=U64,
    key_id=U64,
    customer_id=U64,
    at=U64,
    latency_us=U32,
    status=st.integers(0, 65535),
    outcome=BYTE,
    flags=BYTE,
    method=BYTE,
    bytes_in=U64,
    bytes_out=U64,
    tokens_in=U32,
    tokens_out=U32,
    cache_read=U32,
    cache_write=U32,
    unpaid=U64,
    parts=PARTS,
    route=NAME,
    unit=NAME,
    model=NAME,
)
CLOSED = st.builds(LeaseClosed, lease_id=st.binary(min_size=16, max_size=16), customer_id=U64, at=U64)
CALLER = st.builds(Caller, call_id=U64, sealed=st.binary(min_size=72, max_size=72))
TICKS = st.lists(st.lists(st.one_of(ADMITTED, SETTLED, CLOSED, CALLER), min_size=1, max_size=4), max_size=5)


def _write(ticks: list[list[journal.Record]]) -> tuple[bytes, list[int]]:
    data, ends = b"", [0]
    for seq, tick in enumerate(ticks, 1):
        data += records.frame([journal.encode(record) for record in tick], seq)
        ends.append(len(data))
    return data, ends


@given(TICKS)
def test_what_is_written_is_read(ticks: list[list[journal.Record]]) -> None:
    data, _ = _write(ticks)
    assert journal.read_frames(data) == ([r for tick in ticks for r in tick], len(data))


@given(TICKS.filter(bool), st.data())
def test_a_torn_tail_loses_only_the_torn_frame(
    ticks: list[list[journal.Record]], data: st.DataObject
) -> None:
    whole, ends = _write(ticks)
    cut = data.draw(st.integers(0, len(whole)))
    kept = max(i for i, end in enumerate(ends) if end <= cut)
    records, offset = journal.read_frames(whole[:cut])
    assert (records, offset) == ([r for tick in ticks[:kept] for r in tick], ends[kept])
    rest, end = journal.read_frames(whole, offset)
    assert records + rest == [r for tick in ticks for r in tick]
    assert end == len(whole)


def test_a_flipped_bit_high_in_the_sequence_number_is_seen() -> None:
    whole = bytearray(records.frame([records.pack_lease_closed(bytes(16), 1, 2)], 1))
    whole[16] ^= 1
    assert journal.read_frames(bytes(whole)) == ([], 0)


@given(TICKS.filter(bool), st.data())
def test_a_flipped_bit_is_never_believed(ticks: list[list[journal.Record]], data: st.DataObject) -> None:
    whole, ends = _write(ticks)
    position = data.draw(st.integers(0, len(whole) - 1))
    damaged = bytearray(whole)
    damaged[position] ^= 1 << data.draw(st.integers(0, 7))
    hurt = max(i for i, end in enumerate(ends) if end <= position)
    believed = [r for tick in ticks[:hurt] for r in tick]
    try:
        records, offset = journal.read_frames(bytes(damaged))
    except Corrupt:
        return
    assert records == believed
    assert offset == ends[hurt]


def test_damage_before_the_end_is_an_error_not_a_tail() -> None:
    closed = LeaseClosed(b"x" * 16, 1, 2)
    whole, ends = _write([[closed], [closed], [closed]])
    damaged = bytearray(whole)
    damaged[ends[1] + 25] ^= 1
    with pytest.raises(Corrupt, match=f"byte {ends[1]}"):
        journal.read_frames(bytes(damaged))


def test_a_missing_frame_is_an_error() -> None:
    closed = LeaseClosed(b"x" * 16, 1, 2)
    whole, ends = _write([[closed], [closed], [closed]])
    with pytest.raises(Corrupt, match="lacks frame 2"):
        journal.read_frames(whole[: ends[1]] + whole[ends[2] :])


def test_request_ids_name_gate_and_call() -> None:
    assert journal.request_id("gate-1", 255).endswith("00000000000000ff")
    assert journal.request_id("gate-1", 1) != journal.request_id("gate-2", 1)


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_later_start_counts_above_all_before(calls: int, elapsed_us: int) -> None:
    start = 1_800_000_000_000_000
    if calls <= elapsed_us * 16:
        assert journal.first_call_id(start) + calls - 1 < journal.first_call_id(start + elapsed_us)


def test_a_name_that_is_too_long_is_cut_between_characters() -> None:
    raw = records.short("€" * 100)
    assert raw[0] == len(raw) - 1 <= 255
    assert set(raw[1:].decode()) == {"€"}
