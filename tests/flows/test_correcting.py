"""A correction goes on to whoever received the wrong value, until it was told."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from tollkeeper.accounts import queries as accounts_queries
from tollkeeper.accounts import services as accounts
from tollkeeper.catalog.services import load_shop
from tollkeeper.core.refusal import Refused
from tollkeeper.flows import correcting
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit import job_runner
from tollkeeper.kit.models import Job
from tollkeeper.kit.trail.models import Disclosure
from tollkeeper.outbox.models import Endpoint, Event
from tollkeeper.privacy import corrections

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])
PASSWORD = "correct-h0rse battery"


@pytest.fixture(autouse=True)
def shop(db: None) -> None:
    cache.clear()
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")


@pytest.fixture
def ada() -> uuid.UUID:
    return accounts.create_person("ada@example.org", PASSWORD).pk


def received(subject: uuid.UUID, processor: str, outcome: str = "sent") -> None:
    Disclosure.objects.create(
        at=timezone.now(), processor=processor, purpose="order", subject=subject, fields="x",
        categories="order",
        size=1, outcome=outcome,
    )  # fmt: skip


def owed(subject: uuid.UUID) -> dict[str, str]:
    return {one.processor: one.state for one in corrections.of_person(subject)}


def work() -> None:
    while context := job_runner.claim(["tell_correction"]):
        job_runner.run(context)


def test_only_who_received_that_kind_of_data_is_told(ada: uuid.UUID) -> None:
    other = accounts.create_person("bob@example.org", None).pk
    received(ada, "mail")
    received(ada, "vies", outcome="field")
    received(other, "vies")
    correcting.corrected(ada, correcting.EMAIL)
    assert owed(ada) == {"mail": "contract"}
    assert owed(other) == {}


def test_who_decides_for_itself_is_written_to_by_a_person(ada: uuid.UUID) -> None:
    received(ada, "vies")
    correcting.corrected(ada, correcting.BUYER)
    (row,) = corrections.by_hand()
    assert (row.processor, row.categories, row.told_at) == ("vies", ("order",), None)
    corrections.step(row.id, "tell")
    assert corrections.by_hand() == []
    assert corrections.of_person(ada)[0].told_at is not None
    corrections.step(row.id, "lose")
    assert owed(ada) == {"vies": "told"}, "told once, nothing changes it"


def test_programs_of_the_customer_are_told_until_they_know(
    ada: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = accounts.ensure_customer(accounts_queries.find_user("ada@example.org"))  # type: ignore[arg-type]
    Endpoint.objects.create(
        customer_id=customer, url="https://hook.example.org/", kinds="customer", secret="s"
    )
    received(ada, "customer")
    real = correcting.outbox.announce
    with monkeypatch.context() as patch:
        patch.setattr(correcting.outbox, "announce", lambda *_: 1 / 0)
        correcting.corrected(ada, correcting.NICKNAME)
        work()
    assert owed(ada) == {"customer": "unknown"}
    assert Job.objects.get(kind="tell_correction").state == "ready"
    Job.objects.update(run_at=timezone.now())
    monkeypatch.setattr(correcting.outbox, "announce", real)
    work()
    assert owed(ada) == {"customer": "told"}
    event = Event.objects.get()
    assert event.kind == "customer.corrected"
    assert "ada@" not in str(event.__dict__)


def test_pages_pass_corrections_on(ada: uuid.UUID) -> None:
    received(ada, "hosting")
    client = Client()
    client.post("/accounts/login/", {"login": "ada@example.org", "password": PASSWORD})
    client.post("/console/settings/", {"nickname": "Ada L.", "language": "en"})
    client.post("/console/settings/", {"nickname": "Ada L.", "language": "en"})
    assert len(corrections.of_person(ada)) == 1, "only what changed"
    page = client.get("/console/privacy/").content.decode()
    assert "Who was told of your corrections" in page


def test_an_operator_corrects_what_the_person_cannot_reach(ada: uuid.UUID, mailoutbox: list[Any]) -> None:
    received(ada, "mail")
    accounts.create_person("taken@example.org", None)
    with pytest.raises(Refused, match="Another account"):
        correcting.correct(ada, email="taken@example.org")
    with pytest.raises(Refused):
        correcting.correct(ada, email="nonsense")
    assert len(correcting.correct(ada, email="Ada.New@example.org", nickname="Ada")) == 1
    assert accounts_queries.find_email(ada) == "ada.new@example.org"
    assert EmailAddress.objects.filter(user_id=ada).count() == 1
    assert accounts_queries.find_user("ada@example.org") is None
