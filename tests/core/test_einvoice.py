"""The figures inside a PDF are well formed and sum up."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from tollkeeper.core.einvoice import factur_x

FACTS: dict[str, Any] = {
    "brand": "TwtAPI",
    "seller": {
        "name": "Köhler & Söhne <GmbH>",
        "address": ["Hafenstraße 1", "20095 Hamburg"],
        "country": "DE",
        "email": "office@shop.invalid",
        "vat_id": "DE123456789",
        "register": "HRB 1",
    },
    "customer": "cus_0011",
    "order": "TK-AAAAA-BBBBB",
    "ordered_on": "2027-01-31",
    "paid_on": "2027-01-31",
    "issued_on": "2027-01-31",
    "currency": "EUR",
    "language": "en",
    "lines": [
        {
            "title": "Pro",
            "quantity": 1,
            "amount_minor": 11900,
            "tax_minor": 1900,
            "tax_bp": 1900,
            "from": "2027-01-31",
            "to": "2027-02-28",
        }
    ],
    "net_minor": 10000,
    "tax_minor": 1900,
    "total_minor": 11900,
}


def test_the_xml_is_well_formed_and_sums_up() -> None:
    root = ElementTree.fromstring(factur_x({**FACTS, "kind": "receipt", "number": "N-1"}, {}))
    values = {node.tag.rpartition("}")[2]: node.text for node in root.iter()}
    assert (values["TaxBasisTotalAmount"], values["TaxTotalAmount"]) == ("100.00", "19.00")
    assert (values["GrandTotalAmount"], values["DuePayableAmount"]) == ("119.00", "0.00")


def test_a_credit_note_has_its_own_type_and_positive_amounts() -> None:
    facts = {**FACTS, "net_minor": -10000, "tax_minor": -1900, "total_minor": -11900}
    text = factur_x({**facts, "kind": "credit_note", "number": "C-1"}, {})
    assert "<ram:TypeCode>381</ram:TypeCode>" in text
    assert "GrandTotalAmount>119.00<" in text
