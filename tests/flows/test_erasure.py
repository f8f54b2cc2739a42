"""An erased person is gone: rows, sessions, keys, key; what stays leads to nobody."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as account_verbs
from tollkeeper.accounts.models import Customer, User
from tollkeeper.catalog.services import load_shop
from tollkeeper.core.personal import Inventory, Model, OnErasure, Personal
from tollkeeper.core.terms import MICRO
from tollkeeper.flows import erasure
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit import audit, sealed
from tollkeeper.kit.job_runner import claim, run
from tollkeeper.kit.models import Job, Step
from tollkeeper.privacy import choices, discovery, erasing, requests
from tollkeeper.privacy.canary import Scanner
from tollkeeper.privacy.models import Request
from tollkeeper.support import services as support
from tollkeeper.usage import queries as usage
from tollkeeper.usage import services as usage_verbs
from tollkeeper.usage.models import Lease

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)

EMAIL, PASSWORD = "canary.erased@example.org", "correct-h0rse battery"


@pytest.fixture(autouse=True)
def shop() -> None:
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")


def _person(email: str = EMAIL) -> tuple[uuid.UUID, int]:
    user = account_verbs.create_person(email, PASSWORD)
    customer = account_verbs.ensure_customer(user)
    account_verbs.set_nickname(user.pk, f"Nick of {email}")
    support.open_ticket("title", f"words of {email}", customer_id=customer, owner=user.pk)
    choices.choose("object", "improve", subject=user.pk, source="console")
    usage_verbs.issue_grant(
        key=f"test:{customer}", customer_id=customer, unit="calls", amount=5 * MICRO,
        effective_at=user.created_at, source="test",
    )  # fmt: skip
    audit.record("test.read", subject=user.pk, actor=audit.person(user.pk))
    return user.pk, customer


def test_everything_of_a_person_goes_and_nothing_of_another() -> None:
    ada, customer = _person()
    bob, _ = _person("bob@example.org")
    browser = Client()
    browser.post("/accounts/login/", {"login": EMAIL, "password": PASSWORD})
    assert UserSession.objects.count() == 1
    before = {label: discovery.rows_of(label, bob).count() for label in discovery.inventory().models}
    public = Customer.objects.get(pk=customer).public_id

    receipt = erasure.erase(ada)

    assert not User.objects.filter(pk=ada).exists()
    assert UserSession.objects.count() == Session.objects.count() == 0
    assert list(Scanner([EMAIL, str(ada), ada.hex]).scan_database("default")) == []
    assert not EmailAddress.objects.filter(email=EMAIL).exists()
    assert sealed.destroyed([ada, bob]) == {ada}
    assert receipt.tables["accounts.User"] == 1
    assert receipt.kept["accounts.Customer"] == 1
    shell = Customer.objects.get(pk=customer)
    assert shell.owner_id is None
    assert shell.public_id != public
    assert sum(row.spendable for row in usage.balances(customer)) == 5 * MICRO
    assert {label: discovery.rows_of(label, bob).count() for label in discovery.inventory().models} == before
    assert accounts.find_email(bob) == "bob@example.org"
    assert audit.verify_trail().ok


def test_what_a_job_remembered_of_them_is_emptied() -> None:
    ada, _ = _person()
    bob, _ = _person("bob@example.org")
    job = Job.objects.create(
        kind="x", key="k", purpose="delivery", run_at=timezone.now(), created_at=timezone.now()
    )
    for name, who in (("make", ada), ("other", bob)):
        kept = {"handle": "h1", "sealed": sealed.seal(who, "a secret", "delivery.secret")}
        Step.objects.create(job=job, name=name, result=kept, done_at=timezone.now())
    erasure.erase(ada)
    assert list(Scanner([str(ada), ada.hex]).scan_database("default")) == []
    assert Step.objects.get(name="make").result is None
    assert Step.objects.get(name="other").result["handle"] == "h1"


def test_the_address_is_free_again() -> None:
    ada, _ = _person()
    erasure.erase(ada)
    again, _ = _person()
    assert again != ada
    assert accounts.find_email(again) == EMAIL


def test_doing_it_again_changes_nothing() -> None:
    ada, _ = _person()
    erasure.erase(ada)
    assert erasure.erase(ada).tables == {}


def test_it_waits_for_calls_on_their_way() -> None:
    ada, customer = _person()
    Lease.objects.create(
        id=str(uuid.uuid4()), gate_id="g", customer_id=customer, unit="calls", amount=1, sources="[]",
        drawn_at=User.objects.get(pk=ada).created_at, expires_at=User.objects.get(pk=ada).created_at,
    )  # fmt: skip
    with pytest.raises(erasure.StillBusy):
        erasure.erase(ada)
    assert not User.objects.get(pk=ada).is_active
    assert accounts.find_email(ada) == EMAIL
    Lease.objects.all().delete()
    erasure.erase(ada)


def test_a_crash_in_between_can_be_taken_up_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ada, _ = _person()
    monkeypatch.setattr(sealed, "destroy", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        erasure.erase(ada)
    monkeypatch.undo()
    erasure.erase(ada)
    assert sealed.destroyed([ada]) == {ada}


def test_an_account_is_closed_on_its_owners_word(monkeypatch: pytest.MonkeyPatch) -> None:
    ada, _ = _person()
    number = erasure.close_account(ada)
    person = User.objects.get(pk=ada)
    assert not person.is_active
    waiting = Job.objects.get(kind="erase_person")
    assert waiting.run_at - timezone.now() > dt.timedelta(hours=71)
    assert ada.hex not in str(waiting.payload) + waiting.key
    Job.objects.update(run_at=timezone.now())
    (found,) = [row for row in requests.requests_of(ada) if row.number == number]
    assert found.answered_at is None
    context = claim()
    assert context is not None
    assert run(context) == "done"
    assert not User.objects.filter(pk=ada).exists()
    row = Request.objects.get(number=number)
    assert (row.kind, row.state, row.subject_id, row.words) == ("erase", "fulfilled", None, None)
    assert row.case != ada


def test_every_inventory_can_be_carried_out() -> None:
    steps = {step.label: step.stays for step in erasing.steps()}
    stay = (OnErasure.KEEP, OnErasure.VAULT)
    for label, entry in discovery.inventory().models.items():
        if label in steps:
            assert steps[label] == any(column.erase in stay for column in entry.personal.values()), label


def test_an_inventory_that_cannot_be_carried_out_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    full = discovery.inventory()
    user = full.models["accounts.User"]
    columns = {**user.columns, "language": Personal("account.settings", "notice", erase=OnErasure.KEEP)}
    bad = Inventory({**full.models, "accounts.User": Model("self", columns, user.keep)}, full.tables)
    monkeypatch.setattr(erasing, "inventory", lambda: bad)
    with pytest.raises(erasing.BadPlan, match=r"accounts\.User\.created_at"):
        erasing.steps()
