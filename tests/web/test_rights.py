"""Asking about data without an account."""

import re

import pytest
from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.test import Client

from tollkeeper.accounts import services as accounts
from tollkeeper.catalog.services import load_shop
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.privacy import requests
from tollkeeper.privacy.canary import Scanner

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])

ASKED = {"kind": "access", "contact": "canary.ask@example.org", "words": "canary words 4242 4242 4242 4242"}


@pytest.fixture(autouse=True)
def shop(db: None) -> None:
    cache.clear()
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")


@pytest.mark.parametrize("path", ["/privacy/request/", "/privacy/minor/"])
def test_the_forms_stand_open(path: str) -> None:
    page = Client().get(path)
    assert page.status_code == 200
    assert b"<form" in page.content


def test_a_request_is_taken_in_sealed_and_with_a_clock() -> None:
    answer = Client().post("/privacy/request/", ASKED)
    assert answer.status_code == 302
    (row,) = requests.open_requests()
    assert (row.kind, row.regime, row.channel, row.state) == ("access", "gdpr", "form", "received")
    assert row.due_on is not None
    assert 28 <= (row.due_on - row.received_at.date()).days <= 34
    assert (
        list(Scanner(["canary.ask@example.org", "canary words", "4242424242424242"]).scan_database("default"))
        == []
    )


def test_california_has_its_own_clock() -> None:
    Client().post("/privacy/request/", {**ASKED, "kind": "opt_out", "california": "on"})
    (row,) = requests.open_requests()
    assert row.regime == "ccpa"
    assert row.due_on is not None
    assert (row.due_on - row.received_at.date()).days <= 23


def test_the_answer_tells_nobody_who_has_an_account() -> None:
    accounts.create_person("canary.ask@example.org", None)
    known = Client().post("/privacy/request/", ASKED)
    unknown = Client().post("/privacy/request/", {**ASKED, "contact": "nobody@example.org"})
    assert (known.status_code, known["Location"]) == (unknown.status_code, unknown["Location"])
    assert len(requests.open_requests()) == 2


@pytest.mark.parametrize(
    "wrong", [{"kind": "nonsense"}, {"contact": "nonsense"}, {"words": "x" * 10_001}, {"kind": ""}]
)
def test_bad_input_is_a_form_error_and_nothing_is_kept(wrong: dict[str, str]) -> None:
    answer = Client().post("/privacy/request/", {**ASKED, **wrong})
    assert answer.status_code == 422
    assert requests.open_requests() == []


def test_robots_are_told_nothing_and_floods_are_stopped() -> None:
    assert Client().post("/privacy/request/", {**ASKED, "website": "x"}).status_code == 302
    assert requests.open_requests() == []
    answers = [Client().post("/privacy/request/", ASKED).status_code for _ in range(7)]
    assert answers == [302] * 5 + [429] * 2


def test_a_report_about_a_child_is_due_in_days_once_it_is_confirmed() -> None:
    Client().post("/privacy/minor/", {"contact": "parent@example.org", "words": "the account of my child"})
    (row,) = requests.open_requests()
    assert row.kind == "minor"
    assert row.due_on is None, "nobody showed yet that the address is theirs"
    found = re.search(r"http://[^/]+(/privacy/minor/\S+/)", str(mail.outbox[-1].body))
    assert found is not None
    Client().post(found[1])
    (row,) = requests.open_requests()
    assert row.due_on is not None
    assert (row.due_on - row.received_at.date()).days == 3
