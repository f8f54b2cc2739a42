"""The copy is complete by construction, lazy, and of one person only."""

import json

import pytest

from tollkeeper.accounts import services
from tollkeeper.privacy.copying import copy_of
from tollkeeper.privacy.discovery import inventory
from tollkeeper.support import services as support

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])


def test_every_table_with_a_way_to_people_is_a_part() -> None:
    person = services.create_person("ada@example.org", "correct-h0rse battery")
    parts = {part.label: part for part in copy_of(person.pk)}
    wanted = {
        label
        for label, entry in inventory().models.items()
        if entry.personal and entry.kind not in ("nobody", "detached")
    }
    assert set(parts) == wanted
    assert "password" in parts["accounts.User"].withheld
    assert "password" not in parts["accounts.User"].columns
    assert parts["account.EmailAddress"].provided == ("email",)


def test_values_are_plain_and_of_this_person_only() -> None:
    ada = services.create_person("ada@example.org", None)
    bob = services.create_person("bob@example.org", None)
    for one in (ada, bob):
        customer = services.ensure_customer(one)
        support.open_ticket("title", f"words of {one.pk.hex}", customer_id=customer, owner=one.pk)
    text = json.dumps({part.label: list(part.rows) for part in copy_of(ada.pk)})
    assert "ada@example.org" in text
    assert f"words of {ada.pk.hex}" in text
    assert "bob@example.org" not in text
    assert bob.pk.hex not in text
