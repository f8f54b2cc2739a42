"""The privacy centre: copy, choices, disclosures, the end of the account."""

import datetime as dt
import json
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.models import User
from tollkeeper.catalog.services import load_shop
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit.egress import DisclosureRow
from tollkeeper.privacy import choices, requests
from tollkeeper.web.console.privacy import gather

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


def test_disclosures_are_told_by_recipient_and_purpose() -> None:
    now = timezone.now()
    rows = [
        DisclosureRow(now - dt.timedelta(minutes=age), processor, purpose, fields, (), 10, "sent")
        for age, processor, purpose, fields in [
            (0, "stripe", "order", ("amount",)),
            (1, "mail", "notice", ("to",)),
            (2, "stripe", "order", ("amount", "currency")),
        ]
    ]
    told = [(one.processor, one.messages, one.last_at, one.fields) for one in gather(rows)]
    assert told == [
        ("stripe", 2, now, ("amount", "currency")),
        ("mail", 1, now - dt.timedelta(minutes=1), ("to",)),
    ]


def test_strangers_are_asked_to_sign_in() -> None:
    for path in ("/console/privacy/", "/console/privacy/close/"):
        assert "/accounts/login/" in Client().get(path)["Location"]


def test_the_copy_holds_everything_of_the_person_and_nothing_of_others(browser: Client) -> None:
    assert browser.get("/console/privacy/").status_code == 200
    answer = _again(browser, browser.post("/console/privacy/copy/"))
    document = json.loads(b"".join(answer.streaming_content))
    text = json.dumps(document)
    assert "ada@example.org" in text
    assert "Ada L." in text
    assert "bob@example.org" not in text
    assert "argon2" not in text
    assert "password" in document["tables"]["accounts.User"]["withheld"]
    assert "nickname" in document["tables"]["accounts.User"]["provided"]


def test_objecting_and_allowing_are_the_same_act(browser: Client, person: User) -> None:
    for expected in (False, True):
        browser.post("/console/privacy/choose/", {"purpose": "improve"})
        assert choices.may(person.pk, "improve") is expected
    browser.post("/console/privacy/choose/", {"purpose": "order"})
    browser.post("/console/privacy/choose/", {"purpose": "nonsense"})
    assert [row.action for row in choices.history(person.pk)] == ["allow", "object"]


def test_closing_needs_the_password_and_the_word(browser: Client, person: User) -> None:
    page = _again(browser, browser.get("/console/privacy/close/"))
    assert b"What stays" in page.content
    assert browser.post("/console/privacy/close/", {}).status_code == 422
    answer = browser.post("/console/privacy/close/", {"sure": "on"})
    assert answer.status_code == 302
    assert not User.objects.get(pk=person.pk).is_active
    assert [row.kind for row in requests.requests_of(person.pk)] == ["erase"]
    assert "/accounts/login/" in browser.get("/console/")["Location"]
