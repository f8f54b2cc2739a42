"""Receipts: issued with the payment, in the same transaction; sent by a job."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.conf import settings

from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as account_verbs
from tollkeeper.catalog import queries as catalog
from tollkeeper.catalog.facts import SellerFacts
from tollkeeper.core.money import show, split
from tollkeeper.core.settlement import Settlement, correction
from tollkeeper.kit.jobs import Context, enqueue, job
from tollkeeper.payments import buyers, documents, paper
from tollkeeper.payments import queries as payment_queries
from tollkeeper.payments.queries import Receipt, RefundView
from tollkeeper.sales import queries as sales_queries
from tollkeeper.sales.queries import OrderView


def snapshot(order: OrderView, seller: SellerFacts, brand: str) -> dict[str, Any]:
    """What a document says of an order: the seller's own details and the order's, no person's."""
    return {
        "brand": brand,
        "seller": {
            "name": seller.legal_name,
            "address": list(seller.address),
            "country": seller.country,
            "email": seller.email,
            "vat_id": seller.vat_id,
            "register": seller.register,
        },
        "customer": order.customer,
        "order": order.number,
        "ordered_on": str(order.created_at.date()),
        "paid_on": str(order.paid_at.date()) if order.paid_at else "",
        "currency": order.currency,
        "language": order.language,
        "lines": [
            {
                "title": line.title,
                "quantity": line.quantity,
                "amount_minor": line.amount_minor,
                "off_minor": line.off_minor,
                "tax_minor": line.tax_minor,
                "tax_bp": line.tax_bp,
                "from": str(line.starts_at.date()) if line.starts_at else "",
                "to": str(line.ends_at.date()) if line.ends_at else "",
            }
            for line in order.lines
        ],
        "tax_note": order.tax_note,
        "net_minor": order.total_minor - order.tax_minor,
        "tax_minor": order.tax_minor,
        "total_minor": order.total_minor,
    }


def series(shop: str, year: int, letter: str, live: bool) -> str:
    """The name of a series of numbers: ``TWTAPI-2026``; test money has one of its own."""
    return f"{'' if live else 'TEST-'}{shop.upper()[:10]}-{letter}{year}"


def issue_for(order_id: int, now: dt.datetime) -> None:
    """Issue the receipt of a paid order once, in the caller's transaction; nothing is owed for nothing."""
    _issue("receipt", order_id, now)


def invoice_for(order_id: int, now: dt.datetime) -> None:
    """Issue the invoice of an order that is still to be paid, by transfer; it serves as receipt too."""
    _issue("invoice", order_id, now)


def _issue(kind: str, order_id: int, now: dt.datetime) -> None:
    order = sales_queries.order_by_id(order_id)
    if order.total_minor == 0:
        return
    shop = catalog.current_shop()
    made, fresh = documents.issue(
        kind,
        series(shop.name, now.year, "", order.live),
        order_id,
        snapshot(order, shop.seller, shop.brand),
        now=now,
    )
    if fresh:
        buyers.freeze(made.pk, order.customer_id, now)
        enqueue("mail_receipt", f"mail:receipt:{made.pk}", document_id=made.pk)


def correct_for(order_id: int, settlement: Settlement, now: dt.datetime) -> None:
    """Bring what stands invoiced in line with what was kept, in the caller's transaction.

    A refund gets its credit note, as far as it was invoiced; an invoice that nobody paid in time is
    credited as a whole, and so is what an operator let go of a price; a debit note takes back a
    credit note whose refund failed, or whose money came after all.
    """
    order = sales_queries.order_by_id(order_id)
    invoice = payment_queries.find_receipt(order.customer_id, order.number)
    if invoice is None:
        return
    ended = order.lifecycle in ("expired", "cancelled")
    missing = correction(invoice.total_minor, settlement, ended=ended) - documents.corrected(order_id)
    if missing < 0:
        _correct(order, invoice, "debit_note", -missing, None, now)
        return
    for refund in reversed(payment_queries.list_refunds(order_id)):
        part = min(refund.amount_minor, missing)
        if part and refund.state == "succeeded" and not documents.has_note(refund.refund_id):
            _correct(order, invoice, "credit_note", part, refund, now)
            missing -= part
    if missing:
        _correct(order, invoice, "credit_note", missing, None, now)


def _correct(
    order: OrderView,
    invoice: Receipt,
    kind: str,
    amount_minor: int,
    refund: RefundView | None,
    now: dt.datetime,
) -> None:
    shop = catalog.current_shop()
    _, tax = split(amount_minor, (invoice.total_minor - invoice.tax_minor, invoice.tax_minor))
    sign = -1 if kind == "credit_note" else 1
    settled_at = refund.settled_at if refund else None
    facts = {
        **invoice.facts,
        "corrects": invoice.number,
        "paid_on": str(settled_at.date()) if settled_at else "",
        "lines": [
            {
                "title": order.title,
                "quantity": 1,
                "amount_minor": sign * amount_minor,
                "tax_minor": sign * tax,
                "tax_bp": order.lines[0].tax_bp,
                "from": "",
                "to": "",
            }
        ],
        "net_minor": sign * (amount_minor - tax),
        "tax_minor": sign * tax,
        "total_minor": sign * amount_minor,
    }
    letter = "C" if kind == "credit_note" else "D"
    made = documents.correct(
        kind,
        series(shop.name, now.year, letter, order.live),
        order.order_id,
        facts,
        now=now,
        refund_id=refund.refund_id if refund else None,
        corrects_id=invoice.document_id,
    )
    buyers.freeze(made.pk, order.customer_id, now)
    enqueue("mail_receipt", f"mail:receipt:{made.pk}", document_id=made.pk)


@job("mail_receipt", purpose="order")
def mail_receipt(context: Context, document_id: int) -> None:
    """Send a receipt, once."""
    context.call("send", _send, document_id)


def _send(document_id: int) -> str:
    receipt = payment_queries.document_by_id(document_id)
    template = receipt.kind if receipt.kind in ("credit_note", "debit_note") else "receipt"
    language = accounts.language_of(accounts.get_customer(receipt.customer_id).owner_id)
    lines = [
        {
            **line,
            "amount": show(line["amount_minor"], receipt.currency, language),
            "off": show(line["off_minor"], receipt.currency, language) if line.get("off_minor") else "",
        }
        for line in receipt.facts["lines"]
    ]
    values = {
        "receipt": receipt,
        "facts": receipt.facts,
        "lines": lines,
        "total": show(receipt.total_minor, receipt.currency, language),
        "tax": show(receipt.tax_minor, receipt.currency, language) if receipt.tax_minor else "",
        "link": f"{settings.PUBLIC_URL}/console/orders/{receipt.order_number}/",
    }
    sent = account_verbs.write_to(receipt.customer_id, template, values, attachments=_attached(receipt))
    return "sent" if sent else "nobody"


@job("mail_not_collected", purpose="order")
def mail_not_collected(context: Context, order_id: int) -> None:
    """A payment that was under way for days did not come: the payer has left long ago and is told."""
    context.call("send", _tell_not_collected, order_id)


def _tell_not_collected(order_id: int) -> str:
    order = sales_queries.order_by_id(order_id)
    if order.money != "unpaid":
        return "settled"
    language = accounts.language_of(accounts.get_customer(order.customer_id).owner_id)
    values = {
        "title": order.title,
        "amount": show(order.total_minor, order.currency, language),
        "open": order.lifecycle == "open",
        "link": f"{settings.PUBLIC_URL}/console/orders/{order.number}/",
    }
    return "sent" if account_verbs.write_to(order.customer_id, "not_collected", values) else "nobody"


def pdf_of(customer_id: int, number: str, label: str) -> bytes:
    """The PDF of a customer's document; raises ``NoSuchDocument``, ``paper.NoFont``."""
    for receipt in payment_queries.list_documents(customer_id, number):
        if receipt.number == label:
            return paper.render(receipt, buyers.buyer_of(receipt.document_id))
    raise payment_queries.NoSuchDocument(label)


def _attached(receipt: Receipt) -> list[tuple[str, bytes, str]]:
    try:
        made = paper.render(receipt, buyers.buyer_of(receipt.document_id))
    except paper.NoFont:
        return []  # the letter itself says everything, and links to the page
    return [(f"{receipt.number}.pdf", made, "application/pdf")]
