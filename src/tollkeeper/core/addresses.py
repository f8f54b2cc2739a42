"""Network addresses in logs: whoever writes them cannot read them.

Each log and each day has a key pair (X25519). The writer knows the public key alone: it makes
a pair of its own, agrees on a cipher (HKDF-SHA256, AES-256-GCM), forgets its private half at
once and the cipher within the hour. What it wrote opens with the day's private key only, so
that destroying that key ends every address of the day, in copies and backups too.

A sealed address is 72 bytes: the writer's public key (32), a counter (8) that is the nonce,
and sixteen bytes of address with their tag (32). Its length says nothing of the address.
"""

from __future__ import annotations

import ipaddress

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
SEALED_BYTES = 72
DAY_US = 86_400_000_000

_MAPPED = b"\0" * 10 + b"\xff\xff"


class Unreadable(Exception):
    """A sealed address that this key did not seal, or that was changed."""


def day_of(at_us: int) -> int:
    """The day (UTC, counted from 1970-01-01) of an instant in microseconds."""
    return at_us // DAY_US


def _packed(text: str) -> bytes:
    address = ipaddress.ip_address(text.partition("%")[0])
    return address.packed if address.version == 6 else _MAPPED + address.packed


def _text(packed: bytes) -> str:
    address = ipaddress.IPv6Address(packed)
    return str(address.ipv4_mapped or address)


def _cipher(own: X25519PrivateKey, other: bytes, ephemeral: bytes, public: bytes) -> AESGCM:
    shared = own.exchange(X25519PublicKey.from_public_bytes(other))
    info = b"tollkeeper log address" + ephemeral + public
    return AESGCM(HKDF(hashes.SHA256(), KEY_BYTES, None, info).derive(shared))


def public_of(private: bytes) -> bytes:
    """The public half of a day's private key; both are 32 bytes."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


class Agreement:
    """A writer's cipher for one log and day. Keep it for an hour at most.

    ``ephemeral`` is 32 random bytes that nobody else sees; used by one thread.
    """

    __slots__ = ("_cipher", "_count", "_head", "_label", "day")

    def __init__(self, log: str, day: int, public: bytes, ephemeral: bytes) -> None:
        """Raises ``ValueError`` if ``public`` is no key."""
        own = X25519PrivateKey.from_private_bytes(ephemeral)
        self.day = day
        self._head = own.public_key().public_bytes_raw()
        self._cipher = _cipher(own, public, self._head, public)
        self._label = _label(log, day)
        self._count = 0

    def seal(self, address: str) -> bytes:
        """72 bytes; raises ``ValueError`` for what is no address."""
        self._count += 1
        count = self._count.to_bytes(8, "big")
        return self._head + count + self._cipher.encrypt(b"\0\0\0\0" + count, _packed(address), self._label)


def _label(log: str, day: int) -> bytes:
    return f"{log}/{day}".encode()


def open_address(log: str, day: int, private: bytes, sealed: bytes) -> str:
    """The address; raises :class:`Unreadable`."""
    try:
        own = X25519PrivateKey.from_private_bytes(private)
        head, count, body = sealed[:32], sealed[32:40], sealed[40:]
        cipher = _cipher(own, head, head, own.public_key().public_bytes_raw())
        return _text(cipher.decrypt(b"\0\0\0\0" + count, body, _label(log, day)))
    except (InvalidTag, ValueError):
        raise Unreadable(f"an address of the log {log!r} does not open") from None
