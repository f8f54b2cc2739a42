"""Whom invoices are made out to, and what that does to the tax."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone

from tests.services.money import Till, open_till
from tollkeeper.flows.taxes import tax_for
from tollkeeper.payments import buyers
from tollkeeper.payments.models import Buyer, Document, DocumentBuyer


@pytest.fixture
def till(transactional_db, tmp_path):  # type: ignore[no-untyped-def]
    shop = tmp_path / "twtapi"
    with open_till(tmp_path) as opened:
        text = (shop / "shop.toml").read_text()
        changed = text.replace('mode = "none" ', 'mode = "exclusive"\nrates = { IE = 23, AT = 20 } ')
        (shop / "shop.toml").write_text(changed)
        yield opened


def named(customer: int, **changes: str) -> Buyer:
    facts = {"name": "Ada Planted", "address": "Main Street 1\nVienna", "country": "at", **changes}
    return buyers.set_buyer(customer, **facts, now=timezone.now())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"address": ""}, "address"),
        ({"country": "Austria"}, "country"),
        ({"vat_id": "1234"}, "vat_id"),
        ({"vat_id": "ATÜ123"}, "vat_id"),
    ],
)
def test_what_cannot_be_printed_is_refused(till: Till, changes: dict[str, str], field: str) -> None:
    with pytest.raises(buyers.BadBuyer) as no:
        named(till.customer(), **changes)
    assert no.value.field == field
    assert not Buyer.objects.exists()


def test_details_are_sealed_and_frozen_with_the_document(till: Till) -> None:
    customer = till.customer()
    named(customer)
    till.bought(customer)
    raw = json.dumps([list(Document.objects.values()), list(till.raw("payments_buyer"))], default=str)
    raw += json.dumps(list(till.raw("payments_documentbuyer")), default=str)
    assert "Planted" not in raw
    (made,) = Document.objects.all()
    assert buyers.buyer_of(made.pk)["name"] == "Ada Planted"
    named(customer, name="Somebody Else")
    assert buyers.buyer_of(made.pk)["name"] == "Ada Planted"
    assert DocumentBuyer.objects.count() == 1


def test_only_a_checked_number_moves_the_tax(till: Till) -> None:
    customer = till.customer()
    till.reload()
    assert tax_for(customer).rate_bp == 2300
    named(customer, vat_id="ATU 123.456-78")
    assert (tax_for(customer).rate_bp, tax_for(customer).note) == (2000, "")
    buyers.note_vat(customer, True, timezone.now())
    assert (tax_for(customer).rate_bp, tax_for(customer).note) == (0, "reverse_charge")
    named(customer, vat_id="ATU99999999")
    assert tax_for(customer).rate_bp == 2000
    buyers.note_vat(customer, False, timezone.now())
    assert tax_for(customer).rate_bp == 2000


def test_the_tax_of_the_order_stands_on_the_document(till: Till) -> None:
    till.reload()
    customer = till.customer()
    till.bought(customer)
    (made,) = Document.objects.all()
    assert (made.total_minor, made.tax_minor) == (615, 115)
