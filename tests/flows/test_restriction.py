"""What a restriction stops, what goes on, and that everything is as it was when it is lifted."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core import mail
from django.test import Client

from tests.services.money import Till, price_of
from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as account_verbs
from tollkeeper.delivery.models import KeyEntry
from tollkeeper.flows import announcing, restriction
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit.trail.models import Entry
from tollkeeper.outbox import services as outbox
from tollkeeper.outbox.models import Event
from tollkeeper.privacy import choices, restrictions
from tollkeeper.sales.models import Subscription

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)


@pytest.fixture(autouse=True)
def policy() -> None:
    load_policy(settings.SHOP / "policy.toml")


@pytest.fixture
def ada(till: Till) -> tuple[uuid.UUID, int, Client]:
    user = account_verbs.create_person("ada@example.org", None)
    customer = account_verbs.ensure_customer(user)
    till.bought(customer, "pro")
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return user.pk, customer, client


def plan_state() -> str:
    return Subscription.objects.get().state


def key_states(customer: int) -> set[str]:
    return set(KeyEntry.objects.filter(customer_id=customer).values_list("state", flat=True))


def test_store_only_stops_keys_plans_analytics_and_pages(till: Till, ada: Any) -> None:
    subject, customer, client = ada
    assert client.get("/console/usage/").status_code == 200
    client.post("/console/privacy/restrict/", {"wish": "store"})
    till.work()
    assert plan_state() == "paused"
    reference = Subscription.objects.get().reference
    assert till.engine.store.get("subscription", reference)["pause_collection"]
    assert key_states(customer) <= {"suspended"}
    assert not choices.may(subject, "improve")
    assert choices.allows(subject, "improve")
    for path in (
        "/console/",
        "/console/usage/",
        "/console/keys/",
        "/console/orders/",
        f"/buy/pro/{price_of('pro')}/",
    ):
        assert client.get(path)["Location"] == "/console/privacy/", path
    for path in ("/console/privacy/", "/console/support/", "/console/settings/"):
        assert client.get(path).status_code == 200, path
    assert "in force" in client.get("/console/privacy/").content.decode()


def test_the_service_goes_on_where_the_person_wants_it(till: Till, ada: Any) -> None:
    subject, customer, client = ada
    client.post("/console/privacy/restrict/", {"wish": "serve"})
    till.work()
    assert (plan_state(), restrictions.restricted(subject)) == ("active", True)
    assert client.get("/console/usage/").status_code == 200
    assert not choices.may(subject, "improve")
    client.post("/console/privacy/restrict/", {"wish": "store"})
    till.work()
    assert plan_state() == "paused"
    client.post("/console/privacy/restrict/", {"wish": "serve"})
    till.work()
    assert plan_state() == "active"
    assert "suspended" not in key_states(customer)


def test_programs_are_told_nothing_of_somebody_who_is_only_stored(till: Till, ada: Any) -> None:
    subject, customer, _ = ada
    outbox.add_endpoint(None, None, "https://hooks.example.org/all", ("order", "key"))
    assert announcing.listening(customer, "order")
    restriction.restrict(subject, keep_service=True)
    assert announcing.listening(customer, "order")
    restriction.restrict(subject)
    assert not announcing.listening(customer, "order")
    till.bought(till.customer(), "pack-10k")
    assert set(Event.objects.values_list("customer_id", flat=True)) != {customer}
    assert not Event.objects.filter(customer_id=customer).exists()


def test_lifting_brings_back_what_the_restriction_stopped_and_nothing_else(till: Till, ada: Any) -> None:
    subject, _, client = ada
    restriction.restrict(subject)
    restriction.restrict(subject)
    till.work()
    client.post("/console/privacy/restrict/", {"wish": "lift"})
    till.work()
    assert (plan_state(), restrictions.find(subject)) == ("active", None)
    assert client.get("/console/usage/").status_code == 200

    Subscription.objects.update(state="paused")  # by its owner, before
    restriction.restrict(subject)
    restriction.lift(subject)
    assert plan_state() == "paused"


def test_an_operator_tells_the_person_before_lifting(till: Till, ada: Any, monkeypatch: Any) -> None:
    subject, customer, _ = ada
    restriction.restrict(subject)
    mail.outbox.clear()
    monkeypatch.setattr(restriction.mail, "send", lambda *_, **__: (_ for _ in ()).throw(OSError))
    with pytest.raises(restriction.NotTold):
        restriction.tell_and_lift(subject)
    assert restrictions.restricted(subject)
    monkeypatch.undo()
    restriction.tell_and_lift(subject)
    assert not restrictions.restricted(subject)
    assert "used again" in mail.outbox[-1].subject
    assert accounts.get_customer(customer).owner_id == subject


def test_the_desk_looks_only_for_a_reason_that_is_recorded(till: Till, ada: Any) -> None:
    subject, customer, _ = ada
    staff = account_verbs.create_person("op@example.org", None, is_staff=True)
    Authenticator.objects.create(user=staff, type="totp", data={"secret": "x"})
    desk = Client()
    desk.force_login(staff, backend=settings.AUTHENTICATION_BACKENDS[0])
    path = f"/desk/customers/{accounts.get_customer(customer).public_id}/"
    public = path.split("/")[3]
    assert "Balances" in desk.get(path).content.decode()
    desk.post(f"/desk/privacy/restrict/{public}/", {"wish": "store"})
    closed = desk.get(path).content.decode()
    assert "Balances" not in closed
    assert "only be stored" in closed
    assert "Balances" in desk.get(path + "?claim=claim").content.decode()
    assert Entry.objects.filter(verb="restricted.read", note="claim").count() == 1
    desk.post(f"/desk/privacy/restrict/{public}/", {"wish": "lift"})
    assert not restrictions.restricted(subject)
    assert desk.post("/desk/privacy/restrict/cus_nobody/", {"wish": "lift"}).status_code == 404
