"""Lines of logs: files of one day each, and errors scrubbed before they are written.

Knows no model, because logging is set up before any is loaded. An error is told by classes and
places in the code, and of a message only what cannot be a person's.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import re
import traceback
from pathlib import Path
from typing import Any

from django.conf import settings

ACCESS_FILE, ERROR_FILE = "access", "errors"
_NAME = re.compile(r"(access|errors)-(\d{4}-\d\d-\d\d)\.log")
_CODE = re.compile(r"[a-z][a-z0-9_.:-]{0,39}")
_LIKE_AN_ADDRESS = re.compile(r"[0-9a-f:.]*[.:][0-9a-f:.]*[.:][0-9a-f:.]*")
_LIKE_A_SECRET = re.compile(r"(?=.*\d)[A-Za-z0-9_-]{20,}")
_FRAMES = 12


def folder() -> Path:
    """Where logs lie."""
    return Path(settings.ENV.home) / "logs"


def append(name: str, facts: dict[str, Any], now: dt.datetime) -> None:
    """Add a line to the file of the day; a disk that refuses it stops nobody's request."""
    line = json.dumps({"at": now.isoformat(timespec="milliseconds"), **facts}, separators=(",", ":")) + "\n"
    path = folder() / f"{name}-{now:%Y-%m-%d}.log"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError:
        return
    try:
        os.write(descriptor, line.encode())
    except OSError:
        return
    finally:
        os.close(descriptor)


def files() -> list[tuple[Path, str, dt.date]]:
    """Every file of a log with its name and day."""
    found = []
    for path in sorted(folder().glob("*.log")) if folder().is_dir() else ():
        if hit := _NAME.fullmatch(path.name):
            found.append((path, hit[1], dt.date.fromisoformat(hit[2])))
    return found


def drop_before(day: dt.date) -> int:
    """Remove the files of all days before ``day``; how many."""
    old = [path for path, _, of in files() if of < day]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


class Code(str):
    """A word out of the code itself, such as a class or a file and a line: it is written as it is."""

    __slots__ = ()


def scrub(value: Any) -> str:
    """What of a message's part may be written: numbers, short codes of ours and words of the code."""
    if isinstance(value, bool | int | float | Code):
        return str(value)
    if isinstance(value, BaseException):
        return type(value).__name__
    text = str(value)
    told = _CODE.fullmatch(text) and not _LIKE_AN_ADDRESS.fullmatch(text) and not _LIKE_A_SECRET.search(text)
    return text if told else "<left out>"


def _message(record: logging.LogRecord) -> str:
    """The pattern, which is ours, with its parts scrubbed; what has no parts may be anybody's words."""
    args = record.args
    if not args:
        return str(record.msg) if record.name.startswith("tollkeeper") else scrub(record.msg)
    pattern = re.sub(r"%[-0-9.]*[diouxXeEfFgGcrsa]", "%s", str(record.msg))
    try:
        return pattern % (
            {name: scrub(one) for name, one in args.items()}
            if isinstance(args, dict)
            else tuple(scrub(one) for one in args)
        )
    except (TypeError, ValueError, KeyError):
        return pattern


def _story(error: BaseException) -> list[str]:
    """Classes and places, the deepest last; never a message, a local or a line of data."""
    told: list[str] = []
    current: BaseException | None = error
    while current is not None and len(told) < _FRAMES:
        places = traceback.extract_tb(current.__traceback__)[-_FRAMES:]
        told.append(f"{type(current).__name__} at " + " < ".join(
            f"{Path(place.filename).name}:{place.lineno} {place.name}" for place in reversed(places)
        ))  # fmt: skip
        current = current.__cause__ or current.__context__
    return told


def told_of(record: logging.LogRecord) -> dict[str, Any]:
    """A record, scrubbed."""
    facts: dict[str, Any] = {"level": record.levelname, "from": record.name, "message": _message(record)}
    match = getattr(getattr(record, "request", None), "resolver_match", None)
    if match is not None:
        facts["page"] = match.route
    if record.exc_info and record.exc_info[1] is not None:
        facts["error"] = _story(record.exc_info[1])
    return facts


class ErrorFile(logging.Handler):
    """Writes what went wrong into the file of the day."""

    def emit(self, record: logging.LogRecord) -> None:
        append(ERROR_FILE, told_of(record), dt.datetime.fromtimestamp(record.created, dt.UTC))


class Scrubbed(logging.Formatter):
    """The same for a terminal, on one line."""

    def format(self, record: logging.LogRecord) -> str:
        facts = told_of(record)
        return " ".join([f"{facts['level']}: {facts['message']}", *facts.get("error", ())])
