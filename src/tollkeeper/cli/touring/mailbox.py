"""The stranger's mailbox: in the embedded default, mails lie as files in the home's ``mail`` folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.utils import getaddresses
from pathlib import Path

_CODE = re.compile(r"^\s*([A-Z0-9]{2,6}(?:-[A-Z0-9]{2,6})?)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as its reader sees it."""

    name: str
    subject: str
    text: str

    @property
    def code(self) -> str:
        """The code that stands alone on a line; empty if there is none."""
        found = [text for text in _CODE.findall(self.text) if any(c.isdigit() for c in text) or "-" in text]
        return found[0] if found else ""

    @property
    def links(self) -> list[str]:
        """The addresses in it."""
        return re.findall(r"https?://[^\s<>\"]+", self.text)


class Mailbox:
    """The mails to one address."""

    def __init__(self, folder: Path, address: str) -> None:
        self._folder, self._address = folder, address

    def mails(self) -> list[Mail]:
        """All mails so far, oldest first."""
        found = []
        for path in sorted(self._folder.glob("*.eml"), key=lambda path: (path.stat().st_mtime_ns, path.name)):
            mail = message_from_bytes(path.read_bytes(), policy=policy.default)
            to = [address for _, address in getaddresses(mail.get_all("to", []))]
            if self._address in to:
                body = mail.get_body(preferencelist=("plain", "html"))
                found.append(Mail(path.name, str(mail["subject"]), body.get_content() if body else ""))
        return found
