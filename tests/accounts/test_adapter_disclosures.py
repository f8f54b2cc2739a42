"""Mails that allauth sends are disclosures to the mail relay, told to the person whose address it is."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.mail.backends.smtp import EmailBackend
from django.test import Client, override_settings

from tollkeeper.accounts.models import User
from tollkeeper.catalog.services import load_shop
from tollkeeper.flows import restriction
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit import egress
from tollkeeper.kit.trail.models import Disclosure

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])
EMAIL = "told@example.org"
RELAY = {
    "EMAIL_BACKEND": "tollkeeper.kit.egress_mail.DoorBackend",
    "EMAIL_HOST": "smtp.mail-relay.example",
    "EMAIL_PORT": 465,
    "EMAIL_USE_SSL": True,
    "EMAIL_USE_TLS": False,
}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    cache.clear()
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")
    bodies: list[str] = []

    def send(self: Any, messages: Any) -> int:
        bodies.extend(str(message.body) for message in messages)
        return len(messages)

    monkeypatch.setattr(EmailBackend, "send_messages", send)
    return bodies


def code(sent: list[str]) -> str:
    found = re.search(r"^([A-Z0-9]{3,4}-?[A-Z0-9]{3,4})\s*$", sent[-1], re.M)
    assert found, sent[-1]
    return found[1]


def sign_up(client: Client, sent: list[str]) -> User:
    form = {"email": EMAIL, "password1": "a-long-enough-phrase-7", "old_enough": "on"}
    asked = client.post("/accounts/signup/", form)
    client.post(asked["Location"], {"code": code(sent)})
    return User.objects.get()


@override_settings(**RELAY)
def test_codes_stand_in_the_list_of_their_person(sent: list[str]) -> None:
    person = sign_up(Client(), sent)
    Client().post("/accounts/login/code/", {"email": EMAIL.upper()})
    Client().post("/accounts/password/reset/", {"email": EMAIL})
    assert len(sent) >= 3
    rows = egress.disclosures_of(person.pk)
    assert len(rows) == len(sent)
    assert {(row.processor, row.purpose) for row in rows} == {("mail", "auth")}
    assert all("to" in row.fields for row in rows)
    assert "told@" not in str(list(Disclosure.objects.values()))


@override_settings(**RELAY)
def test_a_letter_to_nobodys_address_concerns_nobody(sent: list[str]) -> None:
    Client().post("/accounts/password/reset/", {"email": "stranger@example.org"})
    assert {row.subject for row in Disclosure.objects.all()} <= {None}


@override_settings(**RELAY)
def test_somebody_restricted_still_gets_the_code_that_lets_them_use_their_rights(sent: list[str]) -> None:
    person = sign_up(Client(), sent)
    restriction.restrict(person.pk)
    before = len(sent)
    Client().post("/accounts/login/code/", {"email": EMAIL})
    assert len(sent) == before + 1
    assert egress.disclosures_of(person.pk)[0].purpose == "legal"
