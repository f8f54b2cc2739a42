"""A tiny IMAP server for one mailbox: what a client needs to read, mark and delete."""

from __future__ import annotations

import re
import socketserver
import threading
from typing import Any


class TinyImap:
    """Use as a context manager; ``mails`` maps UID → message, ``seen`` holds marked UIDs."""

    def __init__(self, mails: list[bytes], password: str = "secret") -> None:  # noqa: C901 - one small server
        self.mails = dict(enumerate(mails, 1))
        self.seen: set[int] = set()
        self._deleted: set[int] = set()
        outer = self

        class Talk(socketserver.StreamRequestHandler):
            def say(self, line: str | bytes) -> None:
                self.wfile.write((line if isinstance(line, bytes) else line.encode()) + b"\r\n")

            def handle(self) -> None:
                self.say("* OK ready")
                for line in self.rfile:
                    tag, _, command = line.decode().strip().partition(" ")
                    if not self.answer(command, password):
                        self.say(f"{tag} NO refused")
                        continue
                    self.say(f"{tag} OK done")
                    if command.upper() == "LOGOUT":
                        return

            def answer(self, command: str, password: str) -> bool:  # noqa: C901 - a table of commands
                upper = command.upper()
                if upper.startswith("LOGIN"):
                    return f'"{password}"' in command or command.endswith(f" {password}")
                if upper == "CAPABILITY":
                    self.say("* CAPABILITY IMAP4rev1")
                elif upper.startswith("SELECT"):
                    if "INBOX" not in upper:
                        return False
                    self.say(f"* {len(outer.mails)} EXISTS")
                elif upper.startswith("UID SEARCH"):
                    new = [uid for uid in sorted(outer.mails) if uid not in outer.seen]
                    self.say("* SEARCH " + " ".join(map(str, new)))
                elif upper.startswith("UID FETCH"):
                    uid, most = (int(n) for n in re.search(r"FETCH (\d+) .*<0\.(\d+)>", command).groups())  # type: ignore[union-attr]
                    body = outer.mails[uid][:most]
                    self.say(
                        f"* {uid} FETCH (UID {uid} BODY[]<0> {{{len(body)}}}".encode() + b"\r\n" + body + b")"
                    )
                elif upper.startswith("UID STORE"):
                    uid = int(command.split()[2])
                    outer.seen.add(uid)
                    if "Deleted" in command:
                        outer._deleted.add(uid)
                elif upper == "EXPUNGE":
                    for uid in outer._deleted:
                        outer.mails.pop(uid, None)
                    outer._deleted.clear()
                elif upper == "LOGOUT":
                    self.say("* BYE")
                return True

        self._server: Any = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk)
        self._server.daemon_threads = True

    @property
    def place(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> TinyImap:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
