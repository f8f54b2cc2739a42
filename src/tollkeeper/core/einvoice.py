"""The figures of a document as UN/CEFACT CII, profile Factur-X MINIMUM (EN 16931 subset).

Read by accounting programs out of the PDF. Source: Factur-X 1.0.07, annex "MINIMUM".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from tollkeeper.core.money import plain

PROFILE = "urn:factur-x.eu:1p0:minimum"
TYPES = {"receipt": "380", "invoice": "380", "credit_note": "381", "debit_note": "383"}
"""UNTDID 1001."""


def factur_x(facts: Mapping[str, Any], buyer: Mapping[str, str]) -> str:
    """The XML of a snapshot (``flows.receipts.snapshot`` with ``kind`` and ``number``).

    A credit note states positive amounts, as CII wants; its type says the direction.
    """
    seller, currency = facts["seller"], facts["currency"]
    sign = -1 if facts["kind"] == "credit_note" else 1
    net, tax, total = (
        plain(sign * facts[name], currency) for name in ("net_minor", "tax_minor", "total_minor")
    )
    paid = facts["kind"] != "invoice" or bool(facts.get("paid_on"))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<rsm:CrossIndustryInvoice xmlns:rsm="urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100" '
        'xmlns:ram="urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100" '
        'xmlns:udt="urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100">'
        "<rsm:ExchangedDocumentContext><ram:GuidelineSpecifiedDocumentContextParameter>"
        f"<ram:ID>{PROFILE}</ram:ID>"
        "</ram:GuidelineSpecifiedDocumentContextParameter></rsm:ExchangedDocumentContext>"
        f"<rsm:ExchangedDocument><ram:ID>{escape(facts['number'])}</ram:ID>"
        f"<ram:TypeCode>{TYPES[facts['kind']]}</ram:TypeCode><ram:IssueDateTime>"
        f'<udt:DateTimeString format="102">{facts["issued_on"].replace("-", "")}</udt:DateTimeString>'
        "</ram:IssueDateTime></rsm:ExchangedDocument>"
        "<rsm:SupplyChainTradeTransaction><ram:ApplicableHeaderTradeAgreement>"
        f"{_seller(seller)}{_buyer(facts, buyer)}"
        "</ram:ApplicableHeaderTradeAgreement><ram:ApplicableHeaderTradeDelivery/>"
        "<ram:ApplicableHeaderTradeSettlement>"
        f"<ram:InvoiceCurrencyCode>{currency}</ram:InvoiceCurrencyCode>"
        "<ram:SpecifiedTradeSettlementHeaderMonetarySummation>"
        f"<ram:TaxBasisTotalAmount>{net}</ram:TaxBasisTotalAmount>"
        f'<ram:TaxTotalAmount currencyID="{currency}">{tax}</ram:TaxTotalAmount>'
        f"<ram:GrandTotalAmount>{total}</ram:GrandTotalAmount>"
        f"<ram:DuePayableAmount>{plain(0, currency) if paid else total}</ram:DuePayableAmount>"
        "</ram:SpecifiedTradeSettlementHeaderMonetarySummation></ram:ApplicableHeaderTradeSettlement>"
        "</rsm:SupplyChainTradeTransaction></rsm:CrossIndustryInvoice>"
    )


def _seller(seller: Mapping[str, Any]) -> str:
    vat = seller.get("vat_id", "")
    number = f'<ram:ID schemeID="VA">{escape(vat)}</ram:ID>'
    registration = f"<ram:SpecifiedTaxRegistration>{number}</ram:SpecifiedTaxRegistration>" if vat else ""
    return (
        f"<ram:SellerTradeParty><ram:Name>{escape(seller['name'])}</ram:Name><ram:PostalTradeAddress>"
        f"<ram:CountryID>{escape(seller['country'])}</ram:CountryID></ram:PostalTradeAddress>"
        f"{registration}</ram:SellerTradeParty>"
    )


def _buyer(facts: Mapping[str, Any], buyer: Mapping[str, str]) -> str:
    name = buyer.get("name") or facts["customer"]
    return f"<ram:BuyerTradeParty><ram:Name>{escape(name)}</ram:Name></ram:BuyerTradeParty>"
