"""Mails become requests and letters: each once, sealed, with nothing personal in the log."""

from __future__ import annotations

import email.message
import logging
import mailbox
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import override_settings

from tests.services.imap import TinyImap
from tollkeeper.accounts import services as accounts
from tollkeeper.catalog.services import load_shop
from tollkeeper.flows import mail_intake, subject_request
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit import egress, egress_mailbox, job_runner
from tollkeeper.privacy import policy_queries, requests
from tollkeeper.privacy.canary import Scanner
from tollkeeper.privacy.models import Arrival, Request
from tollkeeper.support import queries as tickets
from tollkeeper.support import services as support
from tollkeeper.support.models import Ticket

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])
ADA = "ada.canary@example.org"


@pytest.fixture(autouse=True)
def shop(db: None) -> None:
    cache.clear()
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")


def letter(
    text: str, subject: str = "", sender: str = ADA, to: str = "hello@shop.example", **headers: str
) -> bytes:
    message = email.message.EmailMessage()
    message["From"], message["To"] = f"Ada <{sender}>", to
    if subject:
        message["Subject"] = subject
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    return message.as_bytes()


def maildir(tmp_path: Path, *mails: bytes) -> str:
    box = mailbox.Maildir(tmp_path / "box", create=True)
    for mail in mails:
        box.add(mail)
    return f"maildir:{tmp_path / 'box'}"


def left(tmp_path: Path) -> int:
    return len(mailbox.Maildir(tmp_path / "box", create=False))


def work() -> None:
    while context := job_runner.claim(["mail_request", "mail_ticket_receipt"]):
        assert job_runner.run(context) == "done"


def test_a_mail_becomes_a_request_with_a_clock_and_a_receipt(tmp_path: Path, mailoutbox: list[Any]) -> None:
    url = maildir(tmp_path, letter("Please delete all my data. canary words", Message_ID="<1@x>"))
    assert mail_intake.read(url) == {"request": 1}
    row = Request.objects.get()
    assert (row.kind, row.channel, row.state) == ("erase", "mail", "received")
    assert row.due_on is not None
    work()
    assert mailoutbox[0].to == [ADA]
    assert mailoutbox[0].reply_to == [policy_queries.get_current().policy.contact.email]
    assert left(tmp_path) == 0
    assert list(Scanner([ADA, "canary words", "<1@x>"]).scan_database("default")) == []


def test_what_is_written_to_the_privacy_address_is_a_request_whatever_it_says(tmp_path: Path) -> None:
    to = policy_queries.get_current().policy.contact.email
    assert mail_intake.read(maildir(tmp_path, letter("hm", to=to))) == {"request": 1}
    assert Request.objects.get().kind == "other"


def test_everything_else_is_a_letter_to_support(tmp_path: Path) -> None:
    assert mail_intake.read(maildir(tmp_path, letter("my key answers 401"))) == {"ticket": 1}
    assert Ticket.objects.get().contact == ADA


def test_the_same_mail_is_taken_once(tmp_path: Path) -> None:
    mail = letter("delete my data", Message_ID="<same@x>")
    assert mail_intake.read(maildir(tmp_path, mail)) == {"request": 1}
    assert mail_intake.read(maildir(tmp_path, mail, mail)) == {"again": 2}
    assert Request.objects.count() == 1
    assert left(tmp_path) == 0


def test_killed_between_taking_and_deleting_it_is_not_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = maildir(tmp_path, letter("delete my data"))

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(egress_mailbox._Maildir, "done", killed)
        with pytest.raises(KeyboardInterrupt):
            mail_intake.read(url)
    assert (Request.objects.count(), left(tmp_path)) == (1, 1)
    assert mail_intake.read(url) == {"again": 1}
    assert (Request.objects.count(), left(tmp_path)) == (1, 0)


def test_an_answer_is_added_to_what_it_answers_if_its_writer_sent_it(tmp_path: Path) -> None:
    number = subject_request.take_in("rectify", contact=ADA, words="my name")
    ticket = support.open_ticket("key", "401", contact=ADA)
    url = maildir(
        tmp_path,
        letter("it is Ada", f"Re: Your request {number} has arrived"),
        letter("still 401", f"Re: Your message {ticket} has arrived"),
        letter("let me in", f"Re: Your message {ticket} has arrived", sender="eve@example.org"),
    )
    assert mail_intake.read(url) == {"added": 2, "ticket": 1}
    assert "it is Ada" in str(requests.get_words(number).words)
    found = tickets.find_thread(ticket)
    assert found is not None
    assert [one.body.strip() for one in found[1]] == ["401", "still 401"]


def test_a_customers_ticket_takes_mails_of_its_account_only(tmp_path: Path) -> None:
    user = accounts.create_person(ADA, None)
    ticket = support.open_ticket("t", "w", customer_id=accounts.ensure_customer(user), owner=user.pk)
    assert mail_intake.read(maildir(tmp_path, letter("more", f"Re: {ticket}"))) == {"added": 1}


def test_robots_lists_floods_and_our_own_are_left_and_counted(tmp_path: Path) -> None:
    own = policy_queries.get_current().policy.contact.support_email
    url = maildir(
        tmp_path,
        letter("away", Auto_Submitted="auto-replied"),
        letter("news", Precedence="bulk"),
        letter("win", X_Spam_Flag="YES"),
        letter("delete my data", sender=own),
        *(letter(f"delete my data {n}", Message_ID=f"<{n}@x>") for n in range(25)),
    )
    done = mail_intake.read(url)
    assert done == {"automatic": 1, "list": 1, "spam": 1, "own": 1, "request": 20, "flood": 5}
    assert left(tmp_path) == 9, "what was not taken is for a person to look at"
    assert mail_intake.read(url) == {}, "and it is not looked at again"


def test_oversized_mails_are_cut_not_refused(tmp_path: Path) -> None:
    assert mail_intake.read(maildir(tmp_path, letter("delete my data\n" + "x" * 3_000_000))) == {"request": 1}


def test_the_log_holds_numbers_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    mail_intake.read(maildir(tmp_path, letter("delete my canary data", "canary subject")))
    assert "request 1" in caplog.text
    assert "canary" not in caplog.text


def test_an_imap_mailbox_is_read_through_the_door(tmp_path: Path) -> None:
    mails = [
        letter("delete my data", Message_ID="<a@x>"),
        letter("win", X_Spam_Flag="YES", Message_ID="<b@x>"),
    ]
    with TinyImap(mails) as server:
        url = f"imap://shop:secret@{server.place}/INBOX"
        with pytest.raises(egress.Refused):
            mail_intake.read(url)
        with override_settings(EGRESS_STAND_INS={"mail": frozenset({server.place})}):
            assert mail_intake.read(url) == {"request": 1, "spam": 1}
            assert mail_intake.read(url) == {}
            assert (set(server.mails), server.seen) == ({2}, {1, 2})
            with pytest.raises(egress_mailbox.CannotRead) as told:
                mail_intake.read(f"imap://shop:wrong@{server.place}/INBOX")
            with pytest.raises(egress_mailbox.CannotRead, match="folder"):
                mail_intake.read(f"imap://shop:secret@{server.place}/Nowhere")
    assert "wrong" not in str(told.value)
    assert Arrival.objects.count() == 2


@pytest.mark.parametrize("url", ["pop3://x/", "imap://mail.example.org/INBOX", "maildir:/nowhere"])
def test_an_address_that_cannot_be_is_one_sentence(url: str) -> None:
    with pytest.raises(egress_mailbox.CannotRead):
        mail_intake.read(url)


def with_files(*files: tuple[str, bytes], text: str = "It fails like this", **heads: str) -> bytes:
    message = email.message.EmailMessage()
    message["From"], message["To"] = f"Ada <{ADA}>", "hello@shop.example"
    for name, value in heads.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    for name, content in files:
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


def attached(number: str) -> list[tuple[str, bytes]]:
    found = tickets.find_thread(number)
    assert found is not None
    made = []
    for message in found[1]:
        for file in message.files:
            opened = tickets.find_file(number, file.file_id)
            assert opened is not None
            made.append((file.name, opened[1]))
    return made


def test_files_of_a_letter_are_taken_sealed_and_the_rest_is_named(
    tmp_path: Path, mailoutbox: list[Any]
) -> None:
    png = b"\x89PNG\r\n\x1a\n" + b"canary-picture" * 30
    raw = with_files(
        ("screen.png", png), ("list.csv", b"card,4111 1111 1111 1111"), ("macro.docm", b"PK"),
        ("fake.pdf", b"MZ"), ("one.log", b"canary-log"), ("two.log", b"x"), Message_ID="<f1@x>",
    )  # fmt: skip
    assert mail_intake.read(maildir(tmp_path, raw)) == {"ticket": 1}
    (ticket,) = Ticket.objects.all()
    files = attached(ticket.number)
    assert [name for name, _ in files] == ["screen.png", "list.csv", "one.log"]
    assert files[0][1] == png
    assert b"4111 1111" not in files[1][1], "card numbers are struck out"
    found = tickets.find_thread(ticket.number)
    assert found is not None
    for word in ("macro.docm", "fake.pdf", "two.log", "5 MiB"):
        assert word in found[1][0].body
    assert not list(Scanner(["canary-log", "canary-picture"]).scan_database("default"))
    work()
    (receipt,) = mailoutbox
    assert "3 files of your mail could not be taken" in receipt.body
    assert "macro" not in receipt.body, "names stay sealed"


def test_files_come_with_what_is_added_and_are_named_in_the_writers_language(tmp_path: Path) -> None:
    assert mail_intake.read(maildir(tmp_path, with_files(text="无法登录", Message_ID="<f2@x>"))) == {
        "ticket": 1
    }
    (ticket,) = Ticket.objects.all()
    more = with_files(
        ("a.txt", b"more"), ("b.exe", b"MZ"), text="补充", Subject=f"Re: {ticket.number}", Message_ID="<f3@x>"
    )
    assert mail_intake.read(maildir(tmp_path, more)) == {"added": 1}
    assert attached(ticket.number) == [("a.txt", b"more")]
    found = tickets.find_thread(ticket.number)
    assert found is not None
    assert "b.exe" in found[1][-1].body
    assert "Not taken" not in found[1][-1].body


def test_a_request_takes_no_files_and_says_so(tmp_path: Path, mailoutbox: list[Any]) -> None:
    raw = with_files(
        ("passport.png", b"\x89PNG\r\n\x1a\n"), text="Please delete my data", Message_ID="<f4@x>"
    )
    assert mail_intake.read(maildir(tmp_path, raw)) == {"request": 1}
    assert Ticket.objects.count() == 0
    work()
    (receipt,) = mailoutbox
    assert "nobody needs to send documents" in receipt.body
    assert "nobody needs to send documents" in receipt.alternatives[0][0]
