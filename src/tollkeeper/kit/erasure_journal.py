"""Who was erased, kept outside every dump: what a restore reads so that nobody comes back.

A line is written and forced to disk before the first destructive step of an erasure. It
holds the subject's random id, a time and names of tables, nothing else; without its row the
id leads to nobody. Together with the tombstones of the keystore it says whom a restored
book must lose again.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

NAME = "erasures.log"


@dataclass(frozen=True, slots=True)
class Line:
    """``what`` is ``asked`` (an account was closed, its time to think again runs), ``withdrawn`` (its
    owner wants it back) or ``begun``.

    ``kept`` names the tables that a hold order kept.
    """

    at: dt.datetime
    subject: uuid.UUID
    what: str
    kept: tuple[str, ...] = ()


def _path() -> Path:
    return Path(settings.ENV.home) / NAME


def _text(line: Line) -> str:
    facts = {"at": line.at.isoformat(), "subject": line.subject.hex, "what": line.what}
    return json.dumps({**facts, "kept": line.kept} if line.kept else facts) + "\n"


def note(subject: uuid.UUID, at: dt.datetime, what: str = "begun", kept: Collection[str] = ()) -> None:
    """Note what is about to happen to a person. Noting it twice does no harm."""
    descriptor = os.open(_path(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "a") as file:
        file.write(_text(Line(at, subject, what, tuple(sorted(kept)))))
        file.flush()
        os.fsync(file.fileno())


def _lines() -> list[Line]:
    try:
        text = _path().read_text()
    except FileNotFoundError:
        return []
    found = []
    for row in text.splitlines():
        try:
            facts = json.loads(row)
            subject, at = uuid.UUID(facts["subject"]), dt.datetime.fromisoformat(facts["at"])
            found.append(Line(at, subject, facts["what"], tuple(facts.get("kept", ()))))
        except (ValueError, KeyError, TypeError):
            continue  # a torn last line: what it was about had not begun
    return found


def latest() -> dict[uuid.UUID, Line]:
    """The last line about each person."""
    return {line.subject: line for line in _lines()}


def forget(before: dt.datetime) -> int:
    """Drop lines older than every backup; the number dropped."""
    lines = _lines()
    kept = [line for line in lines if line.at >= before]
    if len(kept) < len(lines):
        _rewrite(kept)
    return len(lines) - len(kept)


def _rewrite(lines: Iterable[Line]) -> None:
    part = _path().with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(_text(line) for line in lines)
        file.flush()
        os.fsync(file.fileno())
    part.replace(_path())
