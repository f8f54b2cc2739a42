"""Addresses open with the private key of their log and day, and with nothing else."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core.addresses import (
    DAY_US,
    SEALED_BYTES,
    Agreement,
    Unreadable,
    day_of,
    open_address,
    public_of,
)

PRIVATE = bytes(range(32))
OTHER = bytes(range(1, 33))
PUBLIC = public_of(PRIVATE)


def agreement(log: str = "calls", day: int = 20_000, ephemeral: bytes = b"e" * 32) -> Agreement:
    return Agreement(log, day, PUBLIC, ephemeral)


@given(st.ip_addresses(), st.binary(min_size=32, max_size=32))
def test_what_is_sealed_opens(address: ipaddress.IPv4Address | ipaddress.IPv6Address, chance: bytes) -> None:
    sealed = agreement(ephemeral=chance).seal(str(address))
    assert len(sealed) == SEALED_BYTES
    opened = ipaddress.ip_address(open_address("calls", 20_000, PRIVATE, sealed))
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    assert opened == (mapped or address)


def test_a_scope_is_left_out() -> None:
    assert open_address("calls", 20_000, PRIVATE, agreement().seal("fe80::1%eth0")) == "fe80::1"


def test_the_same_address_never_looks_the_same() -> None:
    one = agreement()
    sealed = {one.seal("203.0.113.7") for _ in range(100)}
    assert len(sealed) == 100
    assert not any(ipaddress.ip_address("203.0.113.7").packed in each for each in sealed)


@pytest.mark.parametrize(
    ("log", "day", "private"),
    [("access", 20_000, PRIVATE), ("calls", 20_001, PRIVATE), ("calls", 20_000, OTHER)],
)
def test_another_log_day_or_key_opens_nothing(log: str, day: int, private: bytes) -> None:
    with pytest.raises(Unreadable):
        open_address(log, day, private, agreement().seal("203.0.113.7"))


@given(st.integers(0, SEALED_BYTES * 8 - 1))
def test_a_changed_bit_is_noticed(bit: int) -> None:
    sealed = bytearray(agreement().seal("2001:db8::1"))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Unreadable):
        open_address("calls", 20_000, PRIVATE, bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"x" * 71, b"\0" * 72])
def test_what_is_no_sealed_address_is_said_so(sealed: bytes) -> None:
    with pytest.raises(Unreadable):
        open_address("calls", 20_000, PRIVATE, sealed)


@pytest.mark.parametrize("text", ["", "localhost", "1.2.3", "/run/socket"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="address"):
        agreement().seal(text)


def test_days_are_counted_from_the_epoch() -> None:
    assert (day_of(0), day_of(DAY_US - 1), day_of(DAY_US)) == (0, 0, 1)
