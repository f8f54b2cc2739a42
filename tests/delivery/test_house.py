"""Our own gate keeps the rules that every provisioner keeps, on its own rows."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import transaction
from django.utils import timezone

from tests.services.lines import PRO, customer
from tollkeeper.core.keys import digest, well_formed
from tollkeeper.delivery import registry, services
from tollkeeper.delivery.models import KeyEntry
from tollkeeper.delivery.provisioners import Missing, Provisioner, Wish

pytestmark = pytest.mark.django_db


@pytest.fixture
def home() -> Provisioner:
    return registry.at_home("My plan")


def label(line_id: int = 1, buyer: int | None = None) -> str:
    services.open_delivery(line_id, customer_id=buyer or customer(), provisioner="gate_key", terms=PRO)
    return f"ord-{line_id}"


@transaction.atomic
def provide(home: Provisioner, name: str):
    return home.provide(Wish(name, "", "calls"))


def test_it_is_found_by_its_files_name_and_needs_no_door() -> None:
    assert "gate_key" in registry.names()
    assert not registry.at_home().remote
    assert registry.at_home().probe().wallet is None


def test_a_key_is_handed_over_once_and_found_again(home: Provisioner, settings) -> None:
    name = label()
    first, second = provide(home, name), provide(home, name)
    assert well_formed(first.secret.encode())
    assert bytes(KeyEntry.objects.get().digest) == digest(first.secret.encode(), settings.KEY_PEPPER)
    assert (second.handle, second.secret, second.adopted) == (first.handle, "", True)
    [seen] = home.find(name)
    assert (seen.label, seen.enabled, seen.requests_per_minute) == (name, True, 600)
    assert home.find("ord-99") == ()


def test_a_second_line_of_the_same_customer_raises_the_same_key(home: Provisioner) -> None:
    buyer = customer()
    first = provide(home, label(1, buyer))
    second = provide(home, label(2, buyer))
    assert (second.handle, second.secret) == (first.handle, "")


def test_it_can_be_stopped_and_let_go_on_any_number_of_times(home: Provisioner) -> None:
    handle = provide(home, label()).handle
    for _ in range(2):
        assert not home.suspend(handle).enabled
    for _ in range(2):
        assert home.resume(handle).enabled


def test_its_end_can_be_moved(home: Provisioner) -> None:
    handle = provide(home, label()).handle
    ends = timezone.now() + dt.timedelta(days=3)
    for _ in range(2):
        assert home.renew(handle, Wish("", "", "calls", ends_at=ends)).ends_at == ends
    assert home.renew(handle, Wish("", "", "calls")).ends_at is None


def test_a_withdrawn_key_is_gone(home: Provisioner) -> None:
    name = label()
    handle = provide(home, name).handle
    for _ in range(2):
        home.withdraw(handle)
    assert KeyEntry.objects.get().state == "revoked"
    assert home.find(name) == ()
    for verb in (home.read, home.suspend, home.resume):
        with pytest.raises(Missing):
            verb(handle)
    with pytest.raises(Missing):
        provide(home, "ord-77")


def test_listing_shows_each_key_once(home: Provisioner) -> None:
    buyer = customer()
    for number in (1, 2):
        provide(home, label(number, buyer))
    provide(home, label(30))
    assert [seen.label for seen in home.list("ord-")] == ["ord-1", "ord-30"]
