"""From a subject to their rows."""

import uuid

import pytest
from allauth.account.models import EmailAddress

from tollkeeper.accounts import services
from tollkeeper.kit.keystore.models import SubjectKey
from tollkeeper.privacy import discovery

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)


def test_rows_of_one_subject_only() -> None:
    ada = services.create_person("ada@example.org", None)
    bob = services.create_person("bob@example.org", None)
    services.ensure_customer(ada)
    assert list(discovery.rows_of("accounts.User", ada.pk)) == [ada]
    assert [row.email for row in discovery.rows_of("account.EmailAddress", bob.pk)] == ["bob@example.org"]
    assert discovery.rows_of("accounts.Customer", ada.pk).count() == 1
    assert discovery.rows_of("accounts.Customer", bob.pk).count() == 0
    assert list(discovery.rows_of("keystore.SubjectKey", ada.pk)) == [SubjectKey.objects.get(pk=ada.pk)]
    assert discovery.rows_of("sessions.Session", ada.pk).count() == 0
    assert discovery.rows_of("account.EmailAddress", uuid.uuid4()).count() == 0
    assert EmailAddress.objects.count() == 2


def test_every_model_with_a_way_can_be_asked() -> None:
    for label, entry in discovery.inventory().models.items():
        rows = list(discovery.rows_of(label, uuid.uuid4()))
        assert rows == [], (label, entry.path)


def test_two_inventories_of_one_model_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    module = pytest.importorskip("tollkeeper.kit.keystore.inventory")
    again = {**module.INVENTORY, "accounts.User": discovery.inventory().models["accounts.User"]}
    monkeypatch.setattr(module, "INVENTORY", again)
    discovery.inventory.cache_clear()
    with pytest.raises(discovery.BadInventory, match=r"accounts\.User is declared twice"):
        discovery.inventory()
    monkeypatch.undo()
    discovery.inventory.cache_clear()
    discovery.inventory()
