"""Documents on paper say what the snapshot says, byte for byte the same each time."""

from __future__ import annotations

import copy
import datetime as dt
import zlib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.services.paper import FACTS
from tollkeeper.payments import paper
from tollkeeper.payments.paper import facturx
from tollkeeper.payments.paper.words import WORDS, texts
from tollkeeper.payments.queries import Receipt


def receipt(kind: str = "receipt", **changes: Any) -> Receipt:
    facts = {**copy.deepcopy(FACTS), **changes}
    return Receipt(
        1,
        "SHOP-2027-000001",
        kind,
        facts["order"],
        1,
        1,
        facts["currency"],
        facts["total_minor"],
        facts["tax_minor"],
        dt.datetime(2027, 1, 31, tzinfo=dt.UTC),
        "",
        facts,
    )


def streams(pdf: bytes) -> bytes:
    out = b""
    for part in pdf.split(b"stream\n")[1:]:
        try:
            out += zlib.decompressobj().decompress(part)
        except zlib.error:
            out += part.split(b"endstream")[0]
    return out


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_pdf_is_of_the_archive_kind_with_the_figures_inside(language: str) -> None:
    pdf = paper.render(
        receipt(language=language), {"name": "Ada", "address": "Somewhere 1\nTown", "country": "AT"}
    )
    assert pdf.startswith(b"%PDF-1.7")
    text = streams(pdf)
    assert b"pdfaid:part>3" in text or b"pdfaid:part" in pdf
    assert b"factur-x.xml" in pdf + text
    assert b"GrandTotalAmount>119.00<" in text


def test_the_same_document_gives_the_same_bytes() -> None:
    paper._compiled.cache_clear()
    one = paper.render(receipt())
    paper._compiled.cache_clear()
    assert paper.render(receipt()) == one


def test_every_language_has_every_word() -> None:
    assert len({frozenset(words) for words in WORDS.values()}) == 1


def test_an_unknown_language_speaks_english() -> None:
    assert texts({**FACTS, "language": "xx"}, "invoice", "N-1", {})["title"] == "Invoice N-1"


def test_reverse_charge_is_said() -> None:
    found = texts({**FACTS, "tax_note": "reverse_charge"}, "invoice", "N-1", {"vat_id": "AT1", "name": "Ada"})
    assert found["notes"] == [WORDS["en"]["reverse_charge"]]
    assert "VAT number AT1" in found["buyer"]


def test_letters_without_a_font_are_named() -> None:
    with pytest.raises(paper.NoFont):
        paper.render(receipt(brand="\U00013000"))


def test_the_metadata_names_the_invoice_and_everything_else_stays() -> None:
    """A cross-reference section of its own, and the four properties of Factur-X."""
    pdf = paper.render(receipt("invoice"))
    first = pdf[: pdf.index(b"%%EOF") + 5]
    assert facturx.named(first + b"\n").startswith(first)
    start = int(pdf.rstrip().rsplit(b"\n", 2)[-2])
    assert pdf[start : start + 4] == b"xref"
    number, offset = pdf[start:].split(b"\n", 3)[1].split()[0], int(pdf[start:].split(b"\n", 3)[2].split()[0])
    assert pdf[offset:].startswith(number + b" 0 obj")
    trailer = pdf[pdf.rindex(b"trailer") :]
    assert pdf[int(trailer.split(b"/Prev ")[1].split(b">")[0]) :].startswith(b"xref")
    length = int(pdf[offset:].split(b"/Length ")[1].split(b"/")[0])
    xmp = pdf[pdf.index(b"stream\n", offset) + 7 :][:length]
    tree = ElementTree.fromstring(xmp[xmp.index(b"<x:xmpmeta") : xmp.index(b"</x:xmpmeta>") + 12])
    found = {
        node.tag.partition("}")[2]: node.text
        for node in tree.iter()
        if node.tag.startswith("{" + facturx.NAMESPACE)
    }
    assert found == {
        "DocumentFileName": "factur-x.xml",
        "DocumentType": "INVOICE",
        "Version": "1.0",
        "ConformanceLevel": "MINIMUM",
    }
    declared = [node.text for node in tree.iter() if node.tag.endswith("}name")]
    assert set(found) <= set(declared), "PDF/A wants every unknown name declared"
    parts = [node.text for node in tree.iter() if node.tag.endswith("}part")]
    assert parts == ["3"]
    assert b"/AFRelationship/Data" in pdf + streams(pdf)


def test_a_pdf_that_is_built_otherwise_is_refused() -> None:
    for odd in (b"%PDF-1.7\n%%EOF", b""):
        with pytest.raises(facturx.Unreadable):
            facturx.named(odd)


def test_what_no_font_can_write_is_told_before_a_customer_finds_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert paper.unwritable(["en", "de"]) == []
    monkeypatch.setitem(WORDS, "xx", {"receipt": "\U00013000"})
    assert paper.unwritable(["en", "xx-latn"]) == ["xx-latn"]
