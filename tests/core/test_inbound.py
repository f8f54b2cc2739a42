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
