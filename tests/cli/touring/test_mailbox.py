from __future__ import annotations

import os
from email.message import EmailMessage
from pathlib import Path

from tollkeeper.cli.touring.mailbox import Mailbox


def put(folder: Path, name: str, to: str, subject: str, text: str, age: int = 0) -> None:
    mail = EmailMessage()
    mail["To"], mail["Subject"] = to, subject
    mail.set_content(text)
    mail.add_alternative(f"<p>{text}</p>", subtype="html")
    (folder / name).write_bytes(bytes(mail))
    os.utime(folder / name, (1000 - age, 1000 - age))


def test_only_own_mails_oldest_first(tmp_path: Path) -> None:
    put(tmp_path, "b.eml", "Ada <ada@example.org>", "second", "x")
    put(tmp_path, "a.eml", "ada@example.org", "first", "x", age=10)
    put(tmp_path, "c.eml", "bob@example.org", "other", "x")
    mails = Mailbox(tmp_path, "ada@example.org").mails()
    assert [mail.subject for mail in mails] == ["first", "second"]
    assert Mailbox(tmp_path, "da@example.org").mails() == []
    assert Mailbox(tmp_path / "nowhere", "ada@example.org").mails() == []


def test_the_code_stands_alone_on_its_line(tmp_path: Path) -> None:
    put(tmp_path, "a.eml", "ada@example.org", "s", "Your code is\n\n  DBWK-TPMT  \n\nIt ends in 15 minutes.")
    put(tmp_path, "b.eml", "ada@example.org", "s", "Hello\nADA\nno code here", age=-10)
    first, second = Mailbox(tmp_path, "ada@example.org").mails()
    assert first.code == "DBWK-TPMT"
    assert second.code == ""
