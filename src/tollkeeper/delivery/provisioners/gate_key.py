"""Keys on our own gate: rows of ours, so nothing can be lost on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tollkeeper.delivery.provisioners import (
    BadPush,
    Door,
    Facts,
    Handed,
    House,
    Provisioner,
    Push,
    Seen,
    Wish,
)

KEEPS = frozenset({"ends_at", "models", "ip_ranges", "requests_per_minute", "concurrency"})
"""Units are kept by the ledger, not by the key."""


class GateKey:
    """See the protocol. The secret is known only in the moment the key is made."""

    name = "gate_key"
    remote = False
    serves: frozenset[str] = frozenset()
    """What is called at our own gate, the shop's routes say."""

    def __init__(self, house: House) -> None:
        self.house = house

    def probe(self) -> Facts:
        """Always there."""
        return Facts("", "", KEEPS, chooses_secret=False, reads_secret=False)

    def provide(self, wish: Wish) -> Handed:
        """The label's key; its secret is empty if it was made before, for it is kept nowhere."""
        handle, secret = self.house.provide(wish)
        return Handed(handle, secret, self.house.read(handle), adopted=not secret)

    def find(self, label: str) -> tuple[Seen, ...]:
        """None or one."""
        seen = self.house.find(label)
        return () if seen is None else (seen,)

    def read(self, handle: str) -> Seen:
        """See the protocol."""
        return self.house.read(handle)

    def differs(self, seen: Seen, wish: Wish) -> tuple[str, ...]:
        """See the protocol. What else a key may do, rows of ours say that the gates read."""
        return () if seen.ends_at == wish.ends_at else ("ends_at",)

    def renew(self, handle: str, wish: Wish) -> Seen:
        """See the protocol."""
        self.house.change(handle, ends_at=wish.ends_at)
        return self.house.read(handle)

    def suspend(self, handle: str) -> Seen:
        """See the protocol."""
        self.house.set(handle, enabled=False)
        return self.house.read(handle)

    def resume(self, handle: str) -> Seen:
        """See the protocol."""
        self.house.set(handle, enabled=True)
        return self.house.read(handle)

    def withdraw(self, handle: str) -> None:
        """See the protocol."""
        self.house.remove(handle)

    def forget(self, handle: str) -> None:
        """See the protocol. What our own tables hold, the erasure of the customer removes."""
        self.house.remove(handle)

    def list(self, prefix: str) -> Iterator[Seen]:
        """See the protocol."""
        return self.house.each(prefix)

    def pushed(self, headers: Mapping[str, str], body: bytes, word: str) -> Push:
        """Nobody speaks for our own gate from outside."""
        raise BadPush(404, "nothing is expected from there")


def build(door: Door) -> Provisioner:
    """A provisioner for the house behind this door."""
    assert door.house is not None
    return GateKey(door.house)
