"""The installation's own keys: what wraps subjects' keys, and what blinds indexes.

The first key of each list is used for writing, all of them for reading, so that a key is
rotated by putting a new one in front, rewriting, and taking the old one away.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from functools import cached_property

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

KEY_BYTES = 32
RECHECK_S = 1.0
TOKEN_CHARS = 24
"""Length of a blind token: 144 bits in URL-safe base 64."""


def encode64(raw: bytes) -> str:
    """URL-safe base 64 without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode64(text: str) -> bytes:
    """The bytes of :func:`encode64`; raises ``ValueError`` for anything else."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def key_id(key: bytes) -> str:
    """The public name of a key: 8 hex digits of a hash of it."""
    return hashlib.sha256(b"tollkeeper key id\0" + key).hexdigest()[:8]


@dataclass(frozen=True)
class Ring:
    """``keks`` wrap subjects' keys, ``indexes`` blind lookups; 32 bytes each, newest first."""

    keks: tuple[bytes, ...]
    indexes: tuple[bytes, ...]

    def __post_init__(self) -> None:
        for key in (*self.keks, *self.indexes):
            if len(key) != KEY_BYTES:
                raise ValueError(f"a sealing key must have {KEY_BYTES} bytes, not {len(key)}")
        if not self.keks or not self.indexes:
            raise ValueError("sealing needs a key for wrapping and one for indexes")

    @cached_property
    def by_id(self) -> dict[str, bytes]:
        """Wrapping keys by their public name, newest first."""
        return {key_id(key): key for key in self.keks}

    def derive(self, purpose: str, kek: bytes | None = None, salt: bytes = b"") -> bytes:
        """32 bytes for one purpose, from the newest wrapping key or the one given (HKDF-SHA256)."""
        info = b"tollkeeper " + purpose.encode()
        return HKDF(hashes.SHA256(), KEY_BYTES, salt or None, info).derive(kek or self.keks[0])

    def blind(self, value: str, context: str) -> list[str]:
        """Tokens by which a value is looked up in the column ``context``, newest key first."""
        text = f"{context}\0{value}".encode()
        return [encode64(hmac.digest(key, text, "sha256")[:18]) for key in self.indexes]


_looked = {"at": 0.0}
_rings: dict[tuple[tuple[bytes, ...], tuple[bytes, ...]], Ring] = {}


def look_again() -> None:
    """Take the keys from the files anew if one of these changed: a rotation goes on elsewhere."""
    _looked["at"] = time.monotonic()
    stamp = settings.ENV.stamp()
    if stamp != settings.SEALING_STAMP:
        settings.SEALING_KEKS = settings.ENV.secrets("kek")
        settings.SEALING_INDEXES = settings.ENV.secrets("index")
        settings.SEALING_STAMP = stamp


def current() -> Ring:
    """The ring of the settings (``SEALING_KEKS``, ``SEALING_INDEXES``), at most a second old."""
    if time.monotonic() - _looked["at"] > RECHECK_S:
        look_again()
    names = (tuple(settings.SEALING_KEKS), tuple(settings.SEALING_INDEXES))
    if names not in _rings:
        _rings[names] = Ring(*names)
    return _rings[names]
