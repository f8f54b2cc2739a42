"""Mails as people write them: no subject, forwarded, in other languages, in HTML; and as robots do."""

from __future__ import annotations

import email.message
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core import inbound


def raw(text: str = "", *, html: str = "", **headers: str) -> bytes:
    message = email.message.EmailMessage()
    for name, value in {"From": "Ada <Ada@Example.org>", "To": "privacy@shop.example", **headers}.items():
        message[name.replace("_", "-")] = value
    if html:
        message.set_content(html, subtype="html")
    else:
        message.set_content(text)
    return message.as_bytes()


@pytest.mark.parametrize(
    ("subject", "text", "kind"),
    [
        ("", "Please delete my account and all my data.", "erase"),
        ("Auskunft nach Art. 15 DSGVO", "Guten Tag, bitte um Auskunft.", "access"),
        ("Löschung", "Bitte löschen Sie meine Daten", "erase"),
        ("", "请删除我的个人数据", "erase"),
        ("Droit d'accès", "Bonjour", "access"),
        ("Do not sell my info", "", "opt_out"),
        ("", "I want a copy of my data", "access"),
        ("data portability please", "", "portability"),
        ("", "I withdraw my consent to mails", "withdraw"),
        ("", "my name is wrong, please rectify it", "rectify"),
        ("GDPR question", "who is your processor?", "other"),
        ("My key does not work", "I get 401 since this morning", None),
        ("Re: invoice", "thanks!\n\nOn Monday Bob wrote:\n> delete my data", None),
    ],
)
def test_what_it_asks_for(subject: str, text: str, kind: str | None) -> None:
    assert inbound.kind_of(inbound.read_mail(raw(text, Subject=subject))) == kind


def test_html_alone_is_read_as_text() -> None:
    mail = inbound.read_mail(raw(html="<style>p{x:y}</style><p>delete <b>my data</b></p><script>x</script>"))
    assert mail.text == "delete my data"
    assert inbound.kind_of(mail) == "erase"


def test_who_wrote_it() -> None:
    assert inbound.read_mail(raw("x")).sender == "ada@example.org"
    own = {"privacy@shop.example", "support@shop.example"}
    forwarded = raw(
        "see below\n\n---- Forwarded ----\nFrom: Bob <bob@example.org>\nSubject: data\n\ndelete my data",
        Subject="Fwd: data", From="support@shop.example",
    )  # fmt: skip
    assert inbound.read_mail(forwarded, own).sender == "bob@example.org"
    foreign = raw("From: bob@example.org", Subject="Fwd: x", From="eve@example.org")
    assert inbound.read_mail(foreign, own).sender == "eve@example.org", (
        "nobody speaks for another by forwarding"
    )


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"Auto_Submitted": "auto-replied"}, "automatic"),
        ({"Precedence": "bulk"}, "list"),
        ({"List_Id": "<news.example>"}, "list"),
        ({"X_Spam_Flag": "YES"}, "spam"),
        ({"From": "MAILER-DAEMON@example.org"}, "automatic"),
        ({"From": ""}, "automatic"),
        ({"Auto_Submitted": "no"}, ""),
    ],
)
def test_robots_are_known(headers: dict[str, str], why: str) -> None:
    assert inbound.read_mail(raw("x", **headers)).machine == why


def test_references_and_law() -> None:
    mail = inbound.read_mail(raw("I live in California", Subject="Re: Your request R-0123456789 has arrived"))
    assert mail.references == ("R-0123456789",)
    assert inbound.regime_of(mail) == "ccpa"


def test_a_huge_mail_is_cut_and_still_understood() -> None:
    mail = inbound.read_mail(raw("delete my data\n" + "x" * 5_000_000))
    assert inbound.kind_of(mail) == "erase"
    assert len(mail.text) <= inbound.MAX_TEXT


@given(st.binary(max_size=400))
def test_nothing_makes_it_fall(data: bytes) -> None:
    inbound.kind_of(inbound.read_mail(data))


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_header_makes_it_fall(subject: str, sender: str) -> None:
    head: Any = (
        f"From: {sender}\r\nSubject: {subject}\r\nContent-Type: text/plain; charset=x-nonsense\r\n\r\nx"
    )
    inbound.read_mail(head.encode(errors="replace"))


def with_files(*files: tuple[str, bytes, str, str], text: str = "see the files") -> bytes:
    """A mail with files as (name, content, type, disposition)."""
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = "ada@example.org", "help@shop.example", "It fails"
    message.set_content(text)
    for name, content, kind, disposition in files:
        main, _, sub = kind.partition("/")
        message.add_attachment(content, maintype=main, subtype=sub, filename=name, disposition=disposition)
    return message.as_bytes()


def test_files_are_what_people_attached_and_not_what_programs_hang_below() -> None:
    mail = inbound.read_mail(
        with_files(
            ("report.pdf", b"%PDF-1", "application/pdf", "attachment"),
            ("photo.jpg", b"\xff\xd8\xff" + b"x" * 40_000, "image/jpeg", "inline"),
            ("logo.png", b"\x89PNG" + b"x" * 900, "image/png", "inline"),
            ("smime.p7s", b"x", "application/pkcs7-signature", "attachment"),
            ("meeting.ics", b"BEGIN:VCALENDAR", "text/calendar", "attachment"),
            ("a/b\u202e.log", b"line", "text/plain", "attachment"),
        )
    )
    assert [file.name for file in mail.files[:2]] == ["report.pdf", "photo.jpg"]
    assert len(mail.files) == 3
    assert mail.files[0].content == b"%PDF-1"
    assert mail.text == "see the files"


def test_a_file_that_was_cut_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [(f"{n}.log", b"x" * 3000, "text/plain", "attachment") for n in range(2)]
    raw_mail = with_files(*files)
    monkeypatch.setattr(inbound, "MOST_BYTES", len(raw_mail) - 500)
    whole, cut = inbound.read_mail(raw_mail).files
    assert whole.content == b"x" * 3000
    assert cut.content is None


def test_a_mail_of_many_parts_is_looked_at_only_so_far() -> None:
    files = [(f"{n}.log", b"x", "text/plain", "attachment") for n in range(200)]
    assert len(inbound.read_mail(with_files(*files)).files) < inbound.MOST_PARTS


@given(st.binary(max_size=200), st.text(max_size=40))
def test_no_mail_with_files_breaks_the_reader(content: bytes, name: str) -> None:
    head = "From: a@example.org\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b"
    head += f'\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename="{name}"\r\n\r\n'
    for file in inbound.read_mail(head.encode("utf-8", "replace") + content + b"\r\n--b--").files:
        assert file.content is not None
