"""The journal on disk: one writer, whole frames, new segments, an honest lock."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tollkeeper.core.journal import LeaseClosed, read_frames
from tollkeeper.core.records import pack_lease_closed
from tollkeeper.gate.journal import JournalTaken, JournalWriter


def writer(folder: Path, now_us: int = 1_000, **options: int) -> JournalWriter:
    return JournalWriter(folder, now_us=now_us, **{"sync_ms": 20, "segment_bytes": 1 << 20, **options})


def read(folder: Path) -> list[int]:
    found = []
    for path in sorted(folder.glob("*.log"), key=lambda p: int(p.stem)):
        records, end = read_frames(path.read_bytes())
        assert end == path.stat().st_size
        found += [record.at for record in records if isinstance(record, LeaseClosed)]
    return found


def note(journal: JournalWriter, number: int) -> bool:
    journal.buffer.append(pack_lease_closed(b"l" * 16, 1, number))
    return journal.write()


def test_what_is_written_is_there_at_once(tmp_path: Path) -> None:
    journal = writer(tmp_path)
    for number in range(5):
        assert note(journal, number)
        assert read(tmp_path) == list(range(number + 1))
    journal.close()


def test_segments_follow_each_other(tmp_path: Path) -> None:
    journal = writer(tmp_path, segment_bytes=100)
    for number in range(6):
        note(journal, number)
    journal.close()
    assert len(list(tmp_path.glob("*.log"))) > 2
    again = writer(tmp_path, now_us=1)
    assert again.epoch_us > 1_000, "a clock that went back never reuses a segment"
    note(again, 6)
    again.close()
    assert read(tmp_path) == list(range(7))


def test_there_is_one_writer_and_the_lock_says_since_when(tmp_path: Path) -> None:
    journal = writer(tmp_path, now_us=77)
    assert (tmp_path / "lock").read_text().strip() == "77"
    with pytest.raises(JournalTaken):
        writer(tmp_path)
    journal.close()
    writer(tmp_path).close()


def test_a_disk_that_refuses_keeps_the_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = writer(tmp_path)
    note(journal, 0)
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:10]))
    assert not note(journal, 1)
    assert "no space" in journal.failed
    monkeypatch.setattr(os, "write", real)
    assert journal.write()
    assert journal.failed == ""
    journal.close()
    assert read(tmp_path) == [0, 1]


def test_every_write_may_be_forced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forced = []
    monkeypatch.setattr(os, "fdatasync", forced.append)
    journal = writer(tmp_path, sync_ms=0)
    note(journal, 1)
    assert len(forced) == 1
    journal.close()
