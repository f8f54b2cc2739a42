"""Files too large for memory, sealed under a key of their own while they lie on a disk.

Pieces of 256 KiB, each AES-256-GCM with a nonce that holds its number and whether it is the
last (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár): pieces cannot be
changed, exchanged, repeated or cut off unnoticed. One key seals one file.
"""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tollkeeper.kit.sealed import Damaged

MAGIC = b"TKS1"
PIECE = 256 * 1024
_PREFIX = 7
_TAG = 16


def new_key() -> bytes:
    """A key for one file."""
    return AESGCM.generate_key(256)


def _nonce(prefix: bytes, number: int, last: bool) -> bytes:
    return prefix + struct.pack(">IB", number, last)


class SealedFile(io.RawIOBase):
    """A file to write once, from beginning to end; ``close()`` makes it whole."""

    def __init__(self, path: Path, key: bytes) -> None:
        super().__init__()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file: IO[bytes] = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        self._cipher, self._prefix = AESGCM(key), os.urandom(_PREFIX)
        self._waiting, self._number = bytearray(), 0
        self.size = 0
        """Clear bytes written so far."""
        self._file.write(MAGIC + self._prefix)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._waiting += data
        length = len(data)
        self.size += length
        while len(self._waiting) > PIECE:
            self._seal(bytes(self._waiting[:PIECE]), False)
            del self._waiting[:PIECE]
        return length

    def _seal(self, piece: bytes, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._prefix, self._number, last), piece, None))
        self._number += 1

    def close(self) -> None:
        if not self.closed:
            self._seal(bytes(self._waiting), True)
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        super().close()


def read_sealed(path: Path, key: bytes) -> Iterator[bytes]:
    """The clear bytes, piece by piece; raises :class:`Damaged` before giving out a changed one."""
    cipher = AESGCM(key)
    with path.open("rb") as file:
        head = file.read(len(MAGIC) + _PREFIX)
        if not head.startswith(MAGIC):
            raise Damaged("not a sealed file")
        prefix, number = head[len(MAGIC) :], 0
        piece = file.read(PIECE + _TAG)
        while piece:
            following = file.read(PIECE + _TAG)
            try:
                yield cipher.decrypt(_nonce(prefix, number, not following), piece, None)
            except InvalidTag:
                raise Damaged("a sealed file was changed or cut") from None
            piece, number = following, number + 1
        if not number:
            raise Damaged("a sealed file was cut")
