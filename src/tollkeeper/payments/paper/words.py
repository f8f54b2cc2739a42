"""What stands on a document, in its language. Pure: figures in, words out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from tollkeeper.core.money import show

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "receipt": "Receipt",
        "invoice": "Invoice",
        "credit_note": "Credit note",
        "debit_note": "Debit note",
        "to": "For",
        "issued": "Issued on",
        "paid": "Paid on",
        "order": "Order",
        "customer": "Customer",
        "corrects": "Corrects",
        "item": "Item",
        "coupon": "Coupon",
        "quantity": "Quantity",
        "tax": "Tax",
        "amount": "Amount",
        "net": "Net",
        "total": "Total",
        "vat": "VAT number",
        "reverse_charge": "Reverse charge: the recipient owes the tax.",
        "outside": "Not taxable in the country of the seller.",
    },
    "de": {
        "receipt": "Quittung",
        "invoice": "Rechnung",
        "credit_note": "Rechnungskorrektur",
        "debit_note": "Belastungsanzeige",
        "to": "Für",
        "issued": "Ausgestellt am",
        "paid": "Bezahlt am",
        "order": "Bestellung",
        "customer": "Kunde",
        "corrects": "Korrigiert",
        "item": "Leistung",
        "coupon": "Gutschein",
        "quantity": "Menge",
        "tax": "Steuer",
        "amount": "Betrag",
        "net": "Netto",
        "total": "Gesamt",
        "vat": "USt-IdNr.",
        "reverse_charge": "Steuerschuldnerschaft des Leistungsempfängers.",
        "outside": "Nicht steuerbar im Land des Verkäufers.",
    },
    "zh": {
        "receipt": "收据",
        "invoice": "发票",
        "credit_note": "贷记单",
        "debit_note": "借记单",
        "to": "客户信息",
        "issued": "开具日期",
        "paid": "付款日期",
        "order": "订单",
        "customer": "客户",
        "corrects": "更正",
        "item": "项目",
        "coupon": "优惠券",
        "quantity": "数量",
        "tax": "税",
        "amount": "金额",
        "net": "净额",
        "total": "合计",
        "vat": "增值税号",
        "reverse_charge": "反向征收：由接收方缴纳税款。",
        "outside": "在卖方所在国不征税。",
    },
}


def texts(facts: dict[str, Any], kind: str, number: str, buyer: dict[str, str]) -> dict[str, Any]:
    """Everything the template prints, from a snapshot (``flows.receipts.snapshot``)."""
    lang = facts.get("language", "en").split("-")[0]
    lang = lang if lang in WORDS else "en"
    words, currency = WORDS[lang], facts["currency"]
    issued = dt.date.fromisoformat(facts["issued_on"])

    def amount(minor: int) -> str:
        return show(minor, currency, lang)

    rows = [
        (words["issued"], facts["issued_on"]),
        (words["order"], facts["order"]),
        (words["customer"], facts["customer"]),
    ]
    if facts.get("paid_on"):
        rows.insert(1, (words["paid"], facts["paid_on"]))
    if facts.get("corrects"):
        rows.append((words["corrects"], facts["corrects"]))
    seller = facts["seller"]
    details = [*seller["address"], seller["country"], seller["email"]]
    if seller.get("vat_id"):
        details.append(f"{words['vat']} {seller['vat_id']}")
    sums = []
    if facts["tax_minor"]:
        sums = [(words["net"], amount(facts["net_minor"])), (words["tax"], amount(facts["tax_minor"]))]
    note = words.get(facts.get("tax_note", ""), "")
    return {
        "lang": lang,
        "title": f"{words[kind]} {number}",
        "brand": facts["brand"],
        "issued": [issued.year, issued.month, issued.day],
        "stamp": int(dt.datetime(issued.year, issued.month, issued.day, tzinfo=dt.UTC).timestamp()),
        "seller": {"name": seller["name"], "rows": [row for row in details if row]},
        "buyer": _buyer(buyer, words),
        "labels": {"to": words["to"]},
        "facts": rows,
        "columns": [words["item"], words["quantity"], words["tax"], words["amount"]],
        "lines": [
            {
                "title": line["title"],
                "span": _under(line, words, amount),
                "quantity": str(line["quantity"]),
                "tax": f"{line['tax_bp'] / 100:g} %",
                "amount": amount(line["amount_minor"]),
            }
            for line in facts["lines"]
        ],
        "sums": sums,
        "total": [words["total"], amount(facts["total_minor"])],
        "notes": [note] if note else [],
        "footer": " · ".join(filter(None, (seller["name"], seller.get("register", "")))),
    }


def _under(line: dict[str, Any], words: dict[str, str], amount: Callable[[int], str]) -> str:
    """The small print of a line: the days it is for, and what a coupon took off."""
    span = f"{line['from']} – {line['to']}" if line.get("from") else ""
    off = f"{words['coupon']} {amount(-line['off_minor'])}" if line.get("off_minor") else ""
    return " · ".join(filter(None, (span, off)))


def _buyer(buyer: dict[str, str], words: dict[str, str]) -> list[str]:
    rows = [buyer.get("name", ""), *buyer.get("address", "").splitlines(), buyer.get("country", "")]
    if buyer.get("vat_id"):
        rows.append(f"{words['vat']} {buyer['vat_id']}")
    return [row for row in rows if row]
