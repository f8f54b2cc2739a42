"""How a command says no: one sentence for people, the whole story in a file."""

from __future__ import annotations

import os
import re
import time
import traceback
from pathlib import Path

_ADDRESS = re.compile(r"[^\s@<>\"'=:,;()\[\]]+@[^\s@<>\"':,;()\[\]]+\.[^\s@<>\"':,;()\[\]]+")


def redact(text: str) -> str:
    """``text`` with everything that looks like an e-mail address taken out: logs hold no person."""
    return _ADDRESS.sub("<address>", text)


def keep_story(error: BaseException) -> Path | None:
    """Write the traceback of ``error`` below the home's ``logs``; the path, or None if that failed."""
    home = Path(os.environ.get("TOLLKEEPER_HOME", "var")).resolve()
    path = home / "logs" / f"error-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.getpid()}.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(redact("".join(traceback.format_exception(error))))
    except OSError:
        return None
    return path


def one_sentence(error: BaseException) -> str:
    """Class and first line of an unforeseen error, without personal values."""
    first = str(error).strip().splitlines()
    return redact(f"{type(error).__name__}: {first[0]}" if first else type(error).__name__)
