"""Clients behind a front of the operator's own, such as one that speaks HTTP/2: it says where they come from.

Only a peer in the networks that the operator trusts is believed, and of what it says only the
part that such peers have added (RFC 7239, 8.1): whatever a client wrote into the field itself
stands before that.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from tollkeeper.gate.wire.client import Client

if TYPE_CHECKING:
    from tollkeeper.core.addresses import Agreement
    from tollkeeper.gate.options import Network
    from tollkeeper.gate.wire.engine import Engine


def said_address(head: bytes, peer: str, trusted: tuple[Network, ...]) -> str:
    """Where a request comes from: the last address of ``X-Forwarded-For`` that no front has.

    The peer's own if that is no front, or says nothing; empty if it says what is no address.
    """
    lines = [line.partition(b":") for line in head.split(b"\r\n")]
    said = b",".join([value for name, _, value in lines if name.lower() == b"x-forwarded-for"])
    path = [part.strip() for part in said.decode("latin-1").split(",")] if said.strip() else []
    address = peer
    while _in(trusted, address):
        if not path:
            return address
        address = path.pop()
    return address if address == peer or _known(address) else ""


def _known(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def _in(trusted: tuple[Network, ...], address: str) -> bool:
    if not _known(address):
        return False
    seen = ipaddress.ip_address(address)
    plain = getattr(seen, "ipv4_mapped", None) or seen
    return any(plain in network for network in trusted)


class Behind(Client):
    """One connection that may be a front's, with requests of many clients on it."""

    def __init__(self, engine: Engine, trusted: tuple[Network, ...]) -> None:
        super().__init__(engine)
        self.trusted = trusted
        self.seen: bytes = b""
        """What was read, while a request is found in it."""
        self.said: str = ""
        self.sealed_for: str = ""

    def on_head(self, data: bytes) -> None:
        self.seen = data
        super().on_head(data)
        self.seen = b""

    def on_request(self, method: bytes, target: bytes, credential: bytes | None) -> None:
        head = self.seen[: self.seen.find(b"\r\n\r\n")]
        self.said = said_address(head, super().address(), self.trusted)
        super().on_request(method, target, credential)

    def address(self) -> str:
        return self.said

    def note_caller(self, agreement: Agreement, call_id: int) -> None:
        if self.said != self.sealed_for:
            self.sealed_for = self.said
            self.sealed_under = None
        super().note_caller(agreement, call_id)
