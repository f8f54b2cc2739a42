"""Records are packed in one layout, whether on one lease or on many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core import records
from tollkeeper.core.journal import Settled, read_frames

IDS = records.pack_ids(1, 2, 3, 4)
LEASE = st.tuples(st.binary(min_size=16, max_size=16), st.integers(0, 2**63))


@given(LEASE, st.integers(0, 2**63), st.binary(max_size=9))
def test_an_admission_on_one_lease_is_laid_out_as_any_other(
    part: tuple[bytes, int], number: int, names: bytes
) -> None:
    head = records.ADMIT_FORM.pack(records.ADMITTED, number, number, 3, 4, 5)
    expected = head + b"\x01" + records.PART_FORM.pack(*part) + names
    assert records.pack_admitted(records.pack_ids(number, number, 3, 4), 5, (part,), names) == expected


@given(LEASE, st.integers(0, 2**40), st.integers(0, 2**40))
def test_a_settlement_on_one_lease_is_laid_out_as_any_other(
    part: tuple[bytes, int], latency: int, tokens: int
) -> None:
    def packed(*parts: tuple[bytes, int]) -> bytes:
        counts = (tokens, 1, 2, 3)
        return records.pack_settled(
            IDS, latency, 200, 0, 0, 4, 5, 6, counts, 7, parts, b"\x01r\x01u", b"\x00"
        )

    one, two = packed(part), packed(part, part)
    size = records.SETTLE_FORM.size
    assert one[:size] == two[:size]
    assert one[size:] == b"\x01" + records.PART_FORM.pack(*part) + b"\x01r\x01u\x00"
    [found], _ = read_frames(records.frame([one], 1))
    assert isinstance(found, Settled)
    assert found.latency_us == min(latency, records.U32)
    assert found.tokens_in == min(tokens, records.U32)


def test_more_leases_than_a_record_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="255"):
        records.pack_admitted(IDS, 5, ((bytes(16), 1),) * 256, b"")


def test_methods_have_numbers() -> None:
    assert [records.method_number(name.encode()) for name in records.METHODS] == list(range(8))
    assert records.method_number(b"BREW") == 0
