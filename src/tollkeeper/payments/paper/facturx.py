"""Says in a PDF's own metadata that it carries a Factur-X file, as readers of such invoices expect.

typst writes PDF/A-3 and attaches the XML, but not the XMP block that names it (Factur-X 1.0.07,
6.2.2; ZUGFeRD 2.3, supplement). It is added as an incremental update (ISO 32000-1, 7.5.6): the
metadata object once more, a cross-reference section of its own, a trailer that points back.
"""

from __future__ import annotations

import re

FILE = "factur-x.xml"
LEVEL = "MINIMUM"
NAMESPACE = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_PROPERTIES = (
    ("DocumentFileName", FILE, "name of the embedded XML invoice file"),
    ("DocumentType", "INVOICE", "INVOICE"),
    ("Version", "1.0", "The actual version of the Factur-X XML schema"),
    ("ConformanceLevel", LEVEL, "The conformance level of the embedded Factur-X data"),
)
_METADATA = re.compile(rb"(\d+) 0 obj\s*<<(?:(?!>>).)*?/Type\s*/Metadata(?:(?!>>).)*>>\s*stream\r?\n", re.S)
_TRAILER = re.compile(rb"trailer\s*<<(.*?)>>\s*startxref\s*(\d+)\s*%%EOF\s*$", re.S)


class Unreadable(ValueError):
    """The PDF is not built as typst builds it: the metadata cannot be found."""


def named(pdf: bytes) -> bytes:
    """The PDF with the block added; what was there stays byte for byte. Raises :class:`Unreadable`."""
    found, trailer = _METADATA.search(pdf), _TRAILER.search(pdf)
    if found is None or trailer is None:
        raise Unreadable("no metadata stream, or no plain trailer")
    xmp = pdf[found.end() : pdf.index(b"endstream", found.end())].rstrip(b"\r\n")
    made = _with_block(xmp)
    number, start = int(found[1]), len(pdf) + 1
    head = b"%d 0 obj\n<</Length %d/Type/Metadata/Subtype/XML>>\nstream\n" % (number, len(made))
    body = head + made + b"\nendstream\nendobj\n"
    table = b"xref\n%d 1\n%010d 00000 n\r\n" % (number, start)
    keys = re.sub(rb"/Prev\s*\d+", b"", trailer[1]) + b"/Prev %d" % int(trailer[2])
    end = b"trailer\n<<" + keys + b">>\nstartxref\n%d\n%%%%EOF\n" % (start + len(body))
    return pdf + b"\n" + body + table + end


def _with_block(xmp: bytes) -> bytes:
    """XMP with the four properties, and with the schema that PDF/A wants for names that it does not know."""
    bag, last = b"<pdfaExtension:schemas><rdf:Bag>", b"</rdf:Description>"
    if bag not in xmp or last not in xmp:
        raise Unreadable("the metadata has no extension schemas")
    schema = "".join(
        '<rdf:li rdf:parseType="Resource">'
        f"<pdfaProperty:name>{name}</pdfaProperty:name><pdfaProperty:valueType>Text</pdfaProperty:valueType>"
        "<pdfaProperty:category>external</pdfaProperty:category>"
        f"<pdfaProperty:description>{text}</pdfaProperty:description></rdf:li>"
        for name, _, text in _PROPERTIES
    )
    known = (
        '<rdf:li rdf:parseType="Resource">'
        "<pdfaSchema:schema>Factur-X PDFA Extension Schema</pdfaSchema:schema>"
        f"<pdfaSchema:namespaceURI>{NAMESPACE}</pdfaSchema:namespaceURI><pdfaSchema:prefix>fx</pdfaSchema:prefix>"
        f"<pdfaSchema:property><rdf:Seq>{schema}</rdf:Seq></pdfaSchema:property></rdf:li>"
    )
    values = "".join(f"<fx:{name}>{value}</fx:{name}>" for name, value, _ in _PROPERTIES)
    block = f'<rdf:Description rdf:about="" xmlns:fx="{NAMESPACE}">{values}</rdf:Description>'
    at = xmp.rindex(last) + len(last)
    xmp = xmp[:at] + block.encode() + xmp[at:]
    return xmp.replace(bag, bag + known.encode(), 1)
