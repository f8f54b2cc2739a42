"""Restriction: what stops, what goes on, and back."""

import datetime as dt

import pytest
from django.conf import settings
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.core.terms import KeyTerms
from tollkeeper.delivery import queries as keys
from tollkeeper.delivery import services as delivery
from tollkeeper.flows import restriction
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.privacy import breaches, restrictions

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])


def test_keys_stop_and_go_on_and_other_reasons_stay() -> None:
    person = accounts.create_person("ada@example.org", None)
    customer = accounts.ensure_customer(person)
    delivery.create_key(customer, name="k", terms=KeyTerms(plan="x"))

    def state() -> str:
        (row,) = keys.list_keys(customer)
        return row.state

    restriction.restrict(person.pk)
    assert state() == "suspended"
    restriction.restrict(person.pk, keep_service=True)
    assert state() == "active"
    restriction.restrict(person.pk)
    delivery.suspend_keys(customer, "unpaid")
    restriction.lift(person.pk)
    assert state() == "suspended"
    delivery.resume_keys(customer, "unpaid")
    assert state() == "active"


def test_the_door_asks() -> None:
    person = accounts.create_person("ada@example.org", None)
    assert restrictions.stop("stripe", "order", person.pk) == ""
    assert restrictions.restrict(person.pk) is True
    assert restrictions.restrict(person.pk) is False
    assert restrictions.stop("stripe", "order", person.pk) == "restricted"
    assert restrictions.stop("mail", "notice", person.pk) == ""
    assert restrictions.stop("stripe", "order", None) == ""
    assert restrictions.lift(person.pk) is True
    assert restrictions.lift(person.pk) is False
    assert restrictions.processable(person.pk, "order")


def test_a_breach_has_its_clock_and_its_people() -> None:
    load_policy(settings.SHOP / "policy.toml")
    now = timezone.now()
    ada, bob = (accounts.create_person(f"{name}@example.org", None) for name in ("ada", "bob"))
    accounts.ensure_customer(ada)
    number = breaches.open_breach("gone", affected=2)
    (row,) = breaches.list_breaches()
    assert dt.timedelta(hours=71) < row.authority_due_at - now <= dt.timedelta(hours=73)
    assert breaches.overdue(now + dt.timedelta(hours=73)) == 1
    breaches.note_step(number, "authority_told")
    assert breaches.overdue(now + dt.timedelta(hours=73)) == 0
    hour = dt.timedelta(hours=1)
    assert breaches.affected("accounts.User", "created_at", now - hour, now + hour) == {ada.pk, bob.pk}
    assert breaches.affected("accounts.Customer", "created_at", now - hour, now + hour) == {ada.pk}
    assert breaches.affected("accounts.User", "created_at", now - hour, now - hour) == set()
    with pytest.raises(breaches.NotAsked):
        breaches.affected("sessions.Session", "expire_date", now, now)
    with pytest.raises(ValueError, match="step"):
        breaches.note_step(number, "nonsense")
