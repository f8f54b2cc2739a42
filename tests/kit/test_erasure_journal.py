"""The journal of erasures: the last line of each person, whole lines only, shortened in time."""

import datetime as dt
import uuid
from pathlib import Path

import pytest
from django.utils import timezone

from tollkeeper.kit import erasure_journal


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / erasure_journal.NAME
    monkeypatch.setattr(erasure_journal, "_path", lambda: path)
    return path


def test_the_last_line_of_each_person_counts() -> None:
    now, ada, bob = timezone.now(), uuid.uuid4(), uuid.uuid4()
    erasure_journal.note(ada, now, "asked")
    erasure_journal.note(bob, now, kept={"sales.Order"})
    erasure_journal.note(ada, now)
    found = erasure_journal.latest()
    assert (found[ada].what, found[ada].kept) == ("begun", ())
    assert found[bob].kept == ("sales.Order",)


def test_a_torn_line_is_none(file: Path) -> None:
    erasure_journal.note(uuid.uuid4(), timezone.now())
    file.write_text(file.read_text() + '{"at": "2027-01')
    assert len(erasure_journal.latest()) == 1
    assert file.stat().st_mode & 0o77 == 0


def test_lines_that_no_backup_needs_go() -> None:
    now, old, new = timezone.now(), uuid.uuid4(), uuid.uuid4()
    erasure_journal.note(old, now - dt.timedelta(days=100))
    erasure_journal.note(new, now)
    assert erasure_journal.forget(now - dt.timedelta(days=99)) == 1
    assert set(erasure_journal.latest()) == {new}
