"""Files that people attach: few kinds, small, looked at before they are taken, sealed when stored."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tollkeeper.core.cards import strike_cards

MAX_BYTES = 5 * 1024 * 1024
MAX_FILES = 3
TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "log": "text/plain",
    "csv": "text/csv",
    "json": "application/json",
}
_BEGINS = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "application/pdf": b"%PDF-"}
_NOT_A_NAME = re.compile(r"[^\w.()\- ]+", re.UNICODE)


class BadFile(Exception):
    """A file that cannot be taken; the text is one sentence for its sender."""


@dataclass(frozen=True, slots=True)
class CleanFile:
    """A file that may be stored."""

    name: str
    media_type: str
    content: bytes


def clean_file(name: str, content: bytes) -> CleanFile:
    """Check a file by its name and its first bytes; card numbers in texts are struck out.

    Raises :class:`BadFile`.
    """
    name = _NOT_A_NAME.sub("_", name.replace("\\", "/").rsplit("/", 1)[-1]).strip(". ")[-80:]
    ending = name.rsplit(".", 1)[-1].lower() if "." in name else ""
    media_type = TYPES.get(ending)
    if media_type is None:
        raise BadFile(f"Only files of these kinds are taken: {', '.join(TYPES)}.")
    if not content:
        raise BadFile(f"The file {name} is empty.")
    if len(content) > MAX_BYTES:
        raise BadFile(f"The file {name} is larger than {MAX_BYTES // 1024 // 1024} MiB.")
    begin = _BEGINS.get(media_type)
    if begin is not None:
        if not content.startswith(begin):
            raise BadFile(f"The file {name} is not what its name says.")
        return CleanFile(strike_cards(name), media_type, content)
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise BadFile(f"The file {name} is no text in UTF-8.") from None
    if "\x00" in text:
        raise BadFile(f"The file {name} is no text.")
    return CleanFile(strike_cards(name), media_type, strike_cards(text).encode())
