"""A breach: the team is reminded while the clock runs, the people concerned are told each once."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.utils import timezone

from tollkeeper.accounts import queries
from tollkeeper.accounts import services as accounts
from tollkeeper.catalog.services import load_shop
from tollkeeper.core.refusal import Refused
from tollkeeper.flows import breach, erasure, restriction
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit import job_runner, sealed
from tollkeeper.privacy import breaches, policy_queries
from tollkeeper.support import services as support

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)


@pytest.fixture(autouse=True)
def shop(transactional_db: None) -> None:
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")


@pytest.fixture
def me() -> uuid.UUID:
    return accounts.create_person("me@example.org", None, is_staff=True).pk


def person(name: str, language: str = "en") -> uuid.UUID:
    user = accounts.create_person(f"{name}@example.org", None, language=language)
    support.open_ticket("t", "w", customer_id=accounts.ensure_customer(user), owner=user.pk)
    return user.pk


def work(*kinds: str) -> None:
    while context := job_runner.claim(list(kinds)):
        assert job_runner.run(context) == "done"


def reminders(mailoutbox: list[Any]) -> list[str]:
    work("mail_breach_reminder")
    return [one.subject for one in mailoutbox]


def test_the_team_is_reminded_until_the_authority_knows(me: uuid.UUID, mailoutbox: list[Any]) -> None:
    number = breach.notice("seen", actor=me)
    begun = timezone.now()
    assert [number in one for one in reminders(mailoutbox)] == [True]
    for hours, count in ((35, 1), (37, 2), (57, 2), (58, 3)):
        with time_machine.travel(begun + dt.timedelta(hours=hours)):
            assert len(reminders(mailoutbox)) == count, hours
    breaches.note_step(number, "authority_told", me)
    with time_machine.travel(begun + dt.timedelta(hours=80)):
        assert len(reminders(mailoutbox)) == 3


def test_nobody_is_reminded_of_what_harms_nobody(me: uuid.UUID, mailoutbox: list[Any]) -> None:
    breaches.judge(breach.notice("unavailable", actor=me), "unlikely", actor=me)
    assert reminders(mailoutbox) == []


def test_everybody_concerned_is_told_once_in_their_language(me: uuid.UUID, mailoutbox: list[Any]) -> None:
    ada, lin, gone = person("ada"), person("lin", "zh-hans"), person("gone")
    restriction.restrict(ada)  # Art. 34 reaches also those whose data may only be stored
    number = breach.notice("seen", actor=me, scope=("support",))
    with pytest.raises(Refused, match="Write first"):
        breach.tell_people(number, me)
    breaches.judge(number, "high", words="A list was readable for an hour.", actor=me)
    sealed.destroy(gone)
    breach.tell_people(number, me)
    work("tell_of_breach")
    with pytest.raises(Refused, match="waits for a letter"):
        breach.tell_people(number, me)
    work("tell_of_breach")
    letters = {one.to[0]: one for one in mailoutbox}
    assert set(letters) == {"ada@example.org", "lin@example.org"}
    assert len(mailoutbox) == 2
    for one in mailoutbox:
        assert "A list was readable for an hour." in one.body
        assert policy_queries.get_current().policy.authority.name in one.body
    assert letters["ada@example.org"].subject != letters["lin@example.org"].subject
    assert breaches.telling(number) == (0, 2, 1)
    row = breaches.find_breach(number)
    assert row is not None
    assert row.people_told_at is not None
    assert {ada, lin, gone} == {one for part in breaches.concerned(("support",)) for one in part.people}


def test_an_erasure_takes_the_notice_with_it(me: uuid.UUID) -> None:
    ada = person("ada")
    number = breach.notice("seen", actor=me, scope=("support",))
    erasure.erase(ada)
    assert breaches.telling(number) == (0, 0, 0)
    row = breaches.find_breach(number)
    assert row is not None
    assert row.affected == 1, "the register keeps the number"


def test_the_draft_says_what_the_authority_wants_to_know(me: uuid.UUID) -> None:
    person("ada")
    late = timezone.now() - dt.timedelta(hours=100)
    number = breach.notice("gone", actor=me, scope=("support",), noticed_at=late, facts="A disk died.")
    text = breach.draft(number)
    policy = policy_queries.get_current().policy
    for part in (number, policy.authority.name, policy.controller.legal_name, "A disk died.", "Art. 33(1)"):
        assert part in text
    assert "People concerned: 1." in text
    assert policy.categories["support"].title.en in text
    assert "example.org" not in text.replace(policy.dpo.email or policy.contact.email, "")


def test_who_was_concerned_is_one_question_and_stands_in_the_trail(me: uuid.UUID) -> None:
    ada = person("ada")
    found = breach.who(("support", "orders"), None, None, actor=me)
    assert found["people"] == 1
    assert found["customers"] == list(queries.public_ids([ada]).values())
    assert found["record_sets"]["orders"] == {"people": 0, "rows": 0, "kinds": []}
