"""The figures inside a PDF are well formed and sum up."""

from __future__ import annotations

from xml.etree import ElementTree

from tests.services.paper import FACTS
from tollkeeper.core.einvoice import factur_x


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
