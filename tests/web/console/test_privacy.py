"""The privacy centre: copy, choices, disclosures, the end of the account."""

import datetime as dt
import io
import json
import re
import zipfile
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.models import User
from tollkeeper.catalog.services import load_shop
from tollkeeper.core.refusal import Refused
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit import job_runner
from tollkeeper.kit.purposes import OWN, serving
from tollkeeper.privacy import choices, copies, requests

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])

PASSWORD = "correct-h0rse battery"


@pytest.fixture(autouse=True)
def shop(db: None) -> None:
    cache.clear()
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")


@pytest.fixture
def person() -> User:
    made = accounts.create_person("ada@example.org", PASSWORD)
    accounts.set_nickname(made.pk, "Ada L.")
    accounts.create_person("bob@example.org", PASSWORD)
    return made


@pytest.fixture
def browser(person: User) -> Client:
    client = Client()
    client.post("/accounts/login/", {"login": "ada@example.org", "password": PASSWORD})
    return client


def _again(browser: Client, answer: HttpResponse) -> Any:
    """Give the password once more where a page asks for it, and go on."""
    if answer.status_code == 302 and "reauthenticate" in answer["Location"]:
        return browser.post(answer["Location"], {"password": PASSWORD}, follow=True)
    return answer


def test_strangers_are_asked_to_sign_in() -> None:
    for path in ("/console/privacy/", "/console/privacy/close/"):
        assert "/accounts/login/" in Client().get(path)["Location"]


def ask_and_build(browser: Client, person: User, **said: str) -> str:
    """The number of a copy that is ready."""
    answer = _again(browser, browser.post("/console/privacy/copy/", said))
    assert answer.status_code in (200, 302)
    number = copies.copies_of(person.pk)[0].number
    with serving(OWN):
        copies.build(number)
    return number


def _code(outbox: list[Any]) -> str:
    found = re.search(r"^([A-Z0-9]{4}-[A-Z0-9]{4})$", outbox[-1].body, re.MULTILINE)
    assert found
    return found[1]


def test_a_copy_is_made_in_the_background_and_fetched_once_with_a_code(
    browser: Client, person: User, mailoutbox: list[Any]
) -> None:
    number = ask_and_build(browser, person)
    page = browser.get("/console/privacy/").content.decode()
    assert number in page
    assert "Ready" in page
    address = f"/console/privacy/copies/{number}/"
    assert browser.post(address, {"act": "send"})["Location"] == address
    code = _code(mailoutbox)
    assert mailoutbox[-1].to == ["ada@example.org"]
    assert browser.post(address, {"code": "AAAA-AAAA"}).status_code == 422
    answer = browser.post(address, {"code": code.lower()})
    assert answer["Content-Type"] == "application/zip"
    content = b"".join(answer.streaming_content)
    assert len(content) == int(answer["Content-Length"])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert json.loads(archive.read("data/accounts.User.json"))[0]["nickname"] == "Ada L."
        assert b"bob@example.org" not in b"".join(map(archive.read, archive.namelist()))
    again = browser.post(address, {"act": "send"}, follow=True)
    assert b"cannot be fetched any more" in again.content
    assert not list(copies.folder().glob(f"{number}*"))


def test_a_copy_opens_to_nobody_else(browser: Client, person: User, mailoutbox: list[Any]) -> None:
    number = ask_and_build(browser, person)
    address = f"/console/privacy/copies/{number}/"
    browser.post(address, {"act": "send"})
    code = _code(mailoutbox)
    assert "/accounts/login/" in Client().post(address, {"code": code})["Location"]
    bob = Client()
    accounts.create_person("carol@example.org", PASSWORD)
    bob.post("/accounts/login/", {"login": "carol@example.org", "password": PASSWORD})
    assert b"cannot be fetched" in _again(bob, bob.post(address, {"code": code})).content
    other_browser = Client()
    other_browser.post("/accounts/login/", {"login": "ada@example.org", "password": PASSWORD})
    page = _again(other_browser, other_browser.post(address, {"code": code}))
    assert b"A copy of your data" in page.content, "the code is of one session"
    for _ in range(5):
        browser.post(address, {"code": "AAAA-AAAA"})
    assert browser.post(address, {"code": code}).status_code == 422, "five tries and no more"


def test_a_copy_dies_after_three_days_even_without_a_worker(browser: Client, person: User) -> None:
    number = ask_and_build(browser, person)
    with time_machine.travel(timezone.now() + dt.timedelta(hours=72, minutes=1), tick=False):
        with pytest.raises(Refused):
            copies.take(number, person.pk)
        assert copies.expire(timezone.now()) == 1
        assert [one.state for one in copies.copies_of(person.pk)] == ["expired"]
    assert not list(copies.folder().glob(f"{number}*"))


def test_a_second_copy_waits_for_the_first(browser: Client, person: User) -> None:
    _again(browser, browser.post("/console/privacy/copy/"))
    page = browser.post("/console/privacy/copy/", follow=True)
    assert b"already being made" in page.content
    assert len(copies.copies_of(person.pk)) == 1
    assert b"progress" in browser.get("/console/privacy/copies/").content


def test_objecting_and_allowing_are_the_same_act(browser: Client, person: User) -> None:
    for expected in (False, True):
        browser.post("/console/privacy/choose/", {"purpose": "improve"})
        assert choices.may(person.pk, "improve") is expected
    browser.post("/console/privacy/choose/", {"purpose": "order"})
    browser.post("/console/privacy/choose/", {"purpose": "nonsense"})
    assert [row.action for row in choices.history(person.pk)] == ["allow", "object"]


def work(*kinds: str) -> None:
    while context := job_runner.claim(list(kinds)):
        assert job_runner.run(context) == "done"


@pytest.mark.parametrize("kind", ["rectify", "complaint", "other"])
def test_what_has_no_button_is_asked_in_words_and_waits_with_a_clock(
    browser: Client, person: User, mailoutbox: list[Any], kind: str
) -> None:
    answer = browser.post("/console/privacy/ask/", {"kind": kind})
    assert answer.status_code == 422, "a sentence is needed"
    assert requests.requests_of(person.pk) == []
    browser.post("/console/privacy/ask/", {"kind": kind, "words": "My old invoices name somebody else."})
    (row,) = requests.requests_of(person.pk)
    assert (row.kind, row.channel, row.answered_at, row.known) == (kind, "console", None, True)
    assert row.due_on is not None
    work("mail_request")
    (letter,) = mailoutbox
    assert row.number in letter.body
    assert letter.to == ["ada@example.org"]
    found = requests.find_request(row.number)
    assert found is not None
    assert found.state == "acknowledged", "nobody has to show anything more"
    page = browser.get("/console/privacy/").content.decode()
    link = re.search(rf"https?://[^/]+(/privacy/request/{row.number}/[^\"]+)", page)
    assert link
    assert browser.get(link[1]).status_code == 200


def test_to_know_makes_the_copy_and_to_limit_is_done_at_once(browser: Client, person: User) -> None:
    for kind in ("know", "limit"):
        assert browser.post("/console/privacy/ask/", {"kind": kind}).status_code == 302
    rows = {row.kind: row for row in requests.requests_of(person.pk)}
    assert {row.regime for row in rows.values()} == {"ccpa"}
    assert rows["limit"].answered_at is not None
    assert len(copies.copies_of(person.pk)) == 1
    assert choices.opted_out(person.pk)


def test_saying_no_to_sale_is_one_press_and_shows(browser: Client, person: User) -> None:
    assert "Do not sell or share" in browser.get("/console/privacy/").content.decode()
    browser.post("/console/privacy/choose/", {"purpose": "sale"})
    (row,) = choices.history(person.pk)
    assert (row.action, row.source, bool(row.text_hash)) == ("opt_out", "console", True)
    page = browser.get("/console/privacy/").content.decode()
    assert "Opted out" in page
    assert 'value="sale"' not in page


def test_the_browsers_signal_is_shown_as_what_it_was(browser: Client, person: User) -> None:
    browser.get("/console/", headers={"Sec-GPC": "1"})
    page = browser.get("/console/privacy/").content.decode()
    assert "by the signal of your browser" in page


def test_a_kind_that_there_is_not_changes_nothing(browser: Client, person: User) -> None:
    assert browser.post("/console/privacy/ask/", {"kind": "minor", "words": "x"}).status_code == 422
    browser.post("/console/privacy/choose/", {"purpose": "everything"})
    assert choices.history(person.pk) == []
    assert requests.requests_of(person.pk) == []


def test_closing_needs_the_password_and_the_word(browser: Client, person: User) -> None:
    page = _again(browser, browser.get("/console/privacy/close/"))
    assert b"What stays" in page.content
    assert browser.post("/console/privacy/close/", {}).status_code == 422
    answer = browser.post("/console/privacy/close/", {"sure": "on"})
    assert answer.status_code == 302
    assert not User.objects.get(pk=person.pk).is_active
    assert [row.kind for row in requests.requests_of(person.pk)] == ["erase"]
    assert "/accounts/login/" in browser.get("/console/")["Location"]
