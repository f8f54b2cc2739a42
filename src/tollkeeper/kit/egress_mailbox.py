"""The mailbox that people write to, read through the egress door: IMAP, or a Maildir on this machine.

    imaps://user:password@host:993/INBOX        maildir:/var/mail/privacy

A mail is deleted there once it is taken: what people write to us lies sealed in the book and in
no second place. ``?keep`` at the end only marks it as read. What is not taken stays, marked.
"""

from __future__ import annotations

import imaplib
import mailbox
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from tollkeeper.core.egress import is_local
from tollkeeper.core.refusal import Refused
from tollkeeper.kit import egress, egress_guard

TIMEOUT_S = 30.0
PROCESSOR = "mail"


class CannotRead(Refused):
    """The mailbox cannot be reached or its address is wrong; one sentence without any password."""


class Box(Protocol):
    """An open mailbox."""

    def unread(self, most: int, most_bytes: int) -> Iterator[tuple[str, bytes]]:
        """New mails as (name, first bytes)."""

    def done(self, name: str, *, taken: bool) -> None:
        """A mail was looked at: taken ones go, others are marked as read."""


class _Maildir:
    def __init__(self, path: Path, keep: bool) -> None:
        if not (path / "new").is_dir():
            raise CannotRead(f"{path} is no Maildir: it has no folder 'new'")
        self._box, self._keep = mailbox.Maildir(path, create=False), keep

    def unread(self, most: int, most_bytes: int) -> Iterator[tuple[str, bytes]]:
        for name in sorted(self._box.keys()):
            if most <= 0:
                return
            if "S" in self._box.get_message(name).get_flags():
                continue
            with self._box.get_file(name) as file:
                yield name, file.read(most_bytes)
            most -= 1

    def done(self, name: str, *, taken: bool) -> None:
        if taken and not self._keep:
            self._box.discard(name)
            return
        message = self._box.get_message(name)
        message.set_subdir("cur")
        message.add_flag("S")
        self._box[name] = message


class _Imap:
    def __init__(self, client: imaplib.IMAP4, keep: bool) -> None:
        self._client, self._keep = client, keep

    def unread(self, most: int, most_bytes: int) -> Iterator[tuple[str, bytes]]:
        _, found = self._client.uid("SEARCH", "UNSEEN")
        for uid in (found[0] or b"").split()[:most]:
            _, parts = self._client.uid("FETCH", uid.decode(), f"(BODY.PEEK[]<0.{most_bytes}>)")
            body = next((part[1] for part in parts if isinstance(part, tuple)), None)
            if isinstance(body, bytes):
                yield uid.decode(), body

    def done(self, name: str, *, taken: bool) -> None:
        gone = taken and not self._keep
        self._client.uid("STORE", name, "+FLAGS.SILENT", r"(\Seen \Deleted)" if gone else r"(\Seen)")
        if gone:
            self._client.expunge()


@contextmanager
def open_box(url: str) -> Iterator[Box]:
    """Open a mailbox; raises :class:`CannotRead` and ``egress.Refused``."""
    parts = urlsplit(url)
    keep = parts.query == "keep"
    if parts.scheme == "maildir":
        yield _Maildir(Path(unquote(parts.path)), keep)
        return
    host, secure = parts.hostname or "", parts.scheme == "imaps"
    port = parts.port or (993 if secure else 143)
    if parts.scheme not in ("imap", "imaps") or not host or not (secure or is_local(host)):
        raise CannotRead(
            "TOLLKEEPER_MAILBOX must look like imaps://user:password@host:993/INBOX or maildir:/path"
        )
    egress.pass_message(
        PROCESSOR, "legal", host=f"{host}:{port}", fields=frozenset(), size=0, encrypted=secure
    )
    client: imaplib.IMAP4 | None = None
    try:
        with egress_guard.opened():
            if secure:
                client = imaplib.IMAP4_SSL(
                    host, port, ssl_context=ssl.create_default_context(), timeout=TIMEOUT_S
                )
            else:
                client = imaplib.IMAP4(host, port, timeout=TIMEOUT_S)
            client.login(unquote(parts.username or ""), unquote(parts.password or ""))
            code, _ = client.select(unquote(parts.path.strip("/")) or "INBOX")
            if code != "OK":
                raise CannotRead(f"the mailbox at {host} has no such folder")
            yield _Imap(client, keep)
    except (imaplib.IMAP4.error, OSError) as error:
        raise CannotRead(f"the mailbox at {host} cannot be read ({type(error).__name__})") from None
    finally:
        if client is not None:
            with _quiet():
                client.logout()


@contextmanager
def _quiet() -> Iterator[None]:
    try:
        yield
    except (imaplib.IMAP4.error, OSError):
        pass
