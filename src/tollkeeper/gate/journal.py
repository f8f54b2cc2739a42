"""The journal on disk: one write a tick, fdatasync in groups, one writer at a time."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path

from tollkeeper.core.records import frame

ROTATE_AFTER_S = 300.0
"""A segment that holds something is closed after this long, so that old ones can be removed."""


class JournalTaken(Exception):
    """Another process of the same gate holds the journal."""


def _locked(descriptor: int) -> bool:
    """Take the lock; a worker that only looks at it holds it for no more than a moment."""
    for attempt in range(20):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if attempt < 19:
                time.sleep(0.05)
        else:
            return True
    return False


class JournalWriter:
    """Appends frames to segments ``<epoch_us>.log`` in one folder.

    The lock on ``<folder>/lock`` is held as long as this process lives: who can
    take it knows that the gate is dead. A new process always begins a new segment, and
    writes when into the lock: what was drawn before belongs to a process that is gone.
    """

    def __init__(self, folder: Path, *, sync_ms: int, segment_bytes: int, now_us: int) -> None:
        """Raises :class:`JournalTaken` if the gate already runs, ``OSError`` if the folder is unusable."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.buffer: list[bytes] = []
        self.failed = ""
        """Why the last write failed; the gate admits nothing while this is set."""
        self.frames = 0
        self.bytes = 0
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        if not _locked(self._lock):
            os.close(self._lock)
            raise JournalTaken(f"another gate already writes to {folder}")
        newest = max((int(p.stem) for p in folder.glob("*.log") if p.stem.isdigit()), default=0)
        self.epoch_us = max(now_us, newest + 1)
        os.pwrite(self._lock, b"%d\n" % self.epoch_us, 0)
        self._segment_bytes = segment_bytes
        self._sync_each = sync_ms == 0
        self._pending: list[int] = []
        self._stands = 0
        """Records at the front of the buffer that are in the file, and perhaps not on the disk."""
        self._dirty = False
        self._fd = -1
        self._seq = 0
        self._size = 0
        self._opened_at = 0.0
        self._open_segment(self.epoch_us)
        self._stopped = threading.Event()
        self._syncer = threading.Thread(
            target=self._sync_loop, args=(sync_ms / 1000,), name="journal", daemon=True
        )
        if sync_ms:
            self._syncer.start()

    def _open_segment(self, epoch_us: int) -> None:
        path = self.folder / f"{epoch_us}.log"
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_EXCL, 0o600)
        directory = os.open(self.folder, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
        self.epoch_us, self._seq, self._size, self._opened_at = epoch_us, 0, 0, time.monotonic()

    def write(self) -> bool:
        """Append what is in the buffer as one frame. False if the disk refused: the buffer is kept.

        What was written and could not be forced to disk stays written, as a worker may have
        read it; the next try only forces it again, with what has come since.
        """
        buffer = self.buffer
        try:
            if self._stands != len(buffer):
                self._append(frame(buffer[self._stands :] if self._stands else buffer, self._seq + 1))
                self._stands = len(buffer)
            if self._sync_each:
                os.fdatasync(self._fd)
        except OSError as error:
            self.failed = error.strerror or str(error)
            return False
        self.failed = ""
        self._stands = 0
        self._dirty = True
        buffer.clear()
        if self._size >= self._segment_bytes:
            self.rotate(self.epoch_us + 1)
        return True

    def _append(self, data: bytes) -> None:
        written = os.write(self._fd, data)
        if written != len(data):
            os.ftruncate(self._fd, self._size)
            raise OSError(28, "no space left for a whole frame")
        self._seq += 1
        self._size += written
        self.frames += 1
        self.bytes += written

    def rotate_if_old(self, now_us: int) -> None:
        """Begin a new segment if this one is old and holds something."""
        if self._size and time.monotonic() - self._opened_at > ROTATE_AFTER_S:
            self.rotate(now_us)

    def rotate(self, now_us: int) -> None:
        """Begin a new segment; the old one is complete and gets no more writes."""
        old = self._fd
        try:
            self._open_segment(max(now_us, self.epoch_us + 1))
        except OSError as error:
            self.failed = error.strerror or str(error)
            return
        self._pending.append(old)

    def _sync_loop(self, interval_s: float) -> None:
        while not self._stopped.wait(interval_s):
            while self._pending:
                old = self._pending.pop()
                os.fdatasync(old)
                os.close(old)
            if self._dirty:
                self._dirty = False
                try:
                    os.fdatasync(self._fd)
                except OSError as error:
                    self.failed = error.strerror or str(error)

    def close(self) -> None:
        """Force everything to disk and let the lock go."""
        if self.buffer:
            self.write()
        self._stopped.set()
        if self._syncer.is_alive():
            self._syncer.join(timeout=5)
        for descriptor in (*self._pending, self._fd):
            os.fdatasync(descriptor)
            os.close(descriptor)
        os.close(self._lock)
