"""From the gates' journals to the book, exactly once; leases of dead gates; what runs out."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from tollkeeper.core.journal import MAX_FRAME, Corrupt, Record, read_frames
from tollkeeper.delivery import services as delivery
from tollkeeper.flows import alerts
from tollkeeper.kit.fields import from_micros, to_micros
from tollkeeper.kit.jobs import Context, GiveUp, loop, schedule
from tollkeeper.usage import queries as usage_queries
from tollkeeper.usage import services as usage

CHUNK = 128 * 1024
"""Bytes of a journal taken in by one transaction, unless one frame is bigger."""
KEEP_DRAINED_S = 24 * 3600
"""How long a segment that is wholly in the book stays on disk."""

log = logging.getLogger("tollkeeper.metering")


@dataclass(slots=True)
class Segment:
    """One file of a journal. ``offset`` is how far this process knows it to be in the book."""

    path: Path
    gate_id: str
    offset: int = -1
    torn: int = -1
    """Size at which what is after ``offset`` was found to be no whole frame."""
    corrupt: bool = False

    @property
    def name(self) -> str:
        """How the segment is called in the book."""
        return self.path.stem

    @property
    def epoch_us(self) -> int:
        """When it was begun."""
        return int(self.path.stem)


class Intake:
    """Reads all journals of this machine. Any number may run at once: the cursors decide."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._segments: dict[Path, Segment] = {}
        self._days: dict[int, object] = {}
        self.drawn_on: set[tuple[int, str]] = set()
        """Balances that calls were booked on since somebody last looked."""

    def turn(self, stop: threading.Event | None = None) -> bool:
        """Take in what is new in every journal; True if something was."""
        found = False
        for segment in self.segments():
            while not (stop and stop.is_set()) and self._advance(segment):
                found = True
        return found

    def segments(self, gate_id: str = "") -> list[Segment]:
        """Segments of one gate, or of all, oldest first per gate."""
        if not self.folder.is_dir():
            return []
        paths = [
            path
            for gate in sorted(self.folder.iterdir())
            if gate.is_dir() and gate_id in ("", gate.name)
            for path in sorted(
                (p for p in gate.glob("*.log") if p.stem.isdigit()), key=lambda p: (int(p.stem), p.name)
            )
        ]
        if not gate_id:
            self._segments = {
                path: self._segments.get(path) or Segment(path, path.parent.name) for path in paths
            }
        return [self._segments.get(path) or Segment(path, path.parent.name) for path in paths]

    def _advance(self, segment: Segment) -> bool:
        """Book the next chunk of a segment; False if there is none."""
        try:
            size = segment.path.stat().st_size
        except FileNotFoundError:
            return False
        if segment.corrupt or size in (segment.offset, segment.torn):
            return False
        if segment.offset < 0:
            segment.offset = usage_queries.position(segment.gate_id, segment.name)
        try:
            records, consumed, size = _read(segment, size)
        except Corrupt as error:
            segment.corrupt = True
            log.error("journal %s/%s: %s", segment.gate_id, segment.name, error)
            reason = [("corrupt journal", "")]
            usage.put_aside(segment.gate_id, segment.name, segment.offset, reason, timezone.now())
            return False
        if not consumed:
            segment.torn = size
            return False
        after = segment.offset + consumed
        taken = usage.take_in(segment.gate_id, segment.name, segment.offset, records, after)
        segment.offset = after if taken.booked else -1
        self.drawn_on |= taken.owners
        fresh = {key: day for key, day in taken.last_used.items() if self._days.get(key) != day}
        if fresh:
            delivery.touch_keys(fresh)
            self._days.update(fresh)
        return True

    def drained(self, gate_id: str, before_us: int) -> bool:
        """True if all that a gate wrote into segments begun before an instant is in the book."""
        for segment in self.segments(gate_id):
            if segment.epoch_us >= before_us:
                continue
            while self._advance(segment):
                pass
            if segment.corrupt:
                return False
        return True


def _read(segment: Segment, size: int) -> tuple[list[Record], int, int]:
    """Whole frames after the segment's offset: records, bytes they take, size that was looked at."""
    want = CHUNK
    with segment.path.open("rb") as file:
        while True:
            file.seek(segment.offset)
            data = file.read(want)
            records, consumed = read_frames(data, 0)
            whole = len(data) < want
            if consumed or whole or want > MAX_FRAME:
                return records, consumed, segment.offset + len(data)
            want *= 8


@dataclass(frozen=True, slots=True)
class Process:
    """What a gate's lock file says: whether a process holds it, and when the last one began."""

    alive: bool
    began_us: int


def gate_process(folder: Path) -> Process | None:
    """Look at the lock of a gate's journal; None if the journal is not on this machine."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        text = os.read(descriptor, 32).strip()
        began = int(text) if text.isdigit() else 0
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return Process(True, began)
        return Process(False, began)
    finally:
        os.close(descriptor)


def running_gates() -> list[str]:
    """Gates whose process lives, by the locks of their journals on this machine."""
    folder = Path(settings.JOURNAL_FOLDER)
    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    return [name for name in names if (process := gate_process(folder / name)) and process.alive]


def lapse(intake: Intake) -> int:
    """Close leases that dead gate processes left; answers how many.

    A lease lapses when its time and grace are over, the process that drew it is
    known to be dead (its lock is free, or a later process holds it), and all that
    it wrote is in the book.
    """
    count = 0
    for gate_id in usage_queries.lapsing():
        now = timezone.now()
        process = gate_process(intake.folder / gate_id)
        if process is None:
            continue
        before_us = process.began_us if process.alive else to_micros(now)
        if before_us and intake.drained(gate_id, before_us):
            count += usage.lapse_leases(gate_id, drawn_before=from_micros(before_us), now=now)
    return count


_turns = {"count": 0}
_intake = Intake(Path(settings.JOURNAL_FOLDER))
_LAPSE_EVERY = 7
_ALERT_EVERY = 15


@loop("metering", every_s=0.3)
def meter(stop: threading.Event) -> bool:
    """One look at all journals; now and then also at leases that nobody renews."""
    found = _intake.turn(stop)
    _turns["count"] += 1
    if _turns["count"] % _ALERT_EVERY == 0 and _intake.drawn_on:
        drawn_on, _intake.drawn_on = _intake.drawn_on, set()
        alerts.tell(drawn_on)
    if not found and _turns["count"] % _LAPSE_EVERY == 0:
        lapse(_intake)
    return False


def write_off(gate_id: str) -> int:
    """Give back what a gate held whose disk is lost; answers how many leases that were.

    For an operator who knows that its journal will never be read: what it charged and
    did not tell is not charged. Leases that it may still renew are left alone.
    """
    return usage.lapse_leases(gate_id, drawn_before=timezone.now())


@schedule("expire_grants", every_s=60, purpose="delivery")
def expire(context: Context) -> None:
    """Book grants that ran out, keys and plans that ended."""
    usage.expire_grants()
    delivery.expire_keys()
    delivery.end_deliveries()


@schedule("check_book", every_s=24 * 3600, purpose="delivery", attempts=1)
def check_book(context: Context) -> None:
    """Check the units' book against itself every night; a fault is a dead letter for an operator."""
    faults = usage.check_book()
    for fault in faults[:20]:
        log.error("the book has a fault: %s", fault.code)
    if faults:
        raise GiveUp(f"{len(faults)}_faults_in_the_book")


@schedule("remove_drained_segments", every_s=3600, purpose="delivery")
def remove_drained(context: Context) -> None:
    """Remove segments that are in the book for a day; the newest of each gate stays."""
    intake = Intake(_intake.folder)
    newest: dict[str, int] = {}
    segments = intake.segments()
    for segment in segments:
        newest[segment.gate_id] = max(segment.epoch_us, newest.get(segment.gate_id, 0))
    limit = timezone.now().timestamp() - KEEP_DRAINED_S
    for segment in segments:
        written = segment.path.stat()
        if segment.epoch_us == newest[segment.gate_id] or written.st_mtime > limit:
            continue
        if usage_queries.position(segment.gate_id, segment.name) == written.st_size:
            segment.path.unlink()
