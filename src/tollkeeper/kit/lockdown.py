"""The lock that a restore sets: a file below the home, seen by every process of this machine."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings

from tollkeeper.core import lockdown


def _path() -> Path:
    return Path(settings.ENV.home) / lockdown.FILE


def locked() -> bool:
    """Whether a restore is not finished; costs one look at the file system."""
    return _path().exists()


def reason() -> str:
    """Why the home is locked: the name of the backup, or ``found``; empty where it is not."""
    try:
        return _path().read_text().strip()
    except FileNotFoundError:
        return ""


def lock(why: str) -> None:
    """Lock the home before the book is touched; ``why`` is a code of ours."""
    descriptor = os.open(_path(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{why}\n")
        file.flush()
        os.fsync(file.fileno())


def unlock() -> None:
    """Open the home again, once every erasure is carried out."""
    _path().unlink(missing_ok=True)
