"""What the tables of payments hold: references and amounts, no payload of a provider, no card, no name."""

from tollkeeper.core.personal import Export, Keep, Model, OnErasure, Personal, Plain


def _payment(*purposes: str) -> Personal:
    return Personal("payment", *(purposes or ("order",)), erase=OnErasure.KEEP)


def _buyer() -> Personal:
    return Personal("order", "order", "legal", erase=OnErasure.SHRED, export=Export.PROVIDED, sealed=True)


_KEEP = Keep("payment", since="created_at")

INVENTORY = {
    "payments.Attempt": Model(
        path="order.customer.owner",
        keep=_KEEP,
        columns={
            "id": Plain("key"),
            "order": Plain("link"),
            "provider": _payment(),
            "state": _payment(),
            "generation": Plain("count"),
            "reference": _payment(),
            "payment": _payment(),
            "url": _payment(),
            "asked_minor": _payment(),
            "amount_minor": _payment(),
            "currency": Plain("amount"),
            "live": Plain("state"),
            "order_matches": Plain("state"),
            "decline": _payment("order", "security"),
            "warning": _payment("order", "security"),
            "error": Plain("state"),
            "expires_at": Plain("time"),
            "created_at": _payment(),
            "checked_at": Plain("time"),
            "succeeded_at": _payment(),
        },
    ),
    "payments.Payer": Model(
        path="customer.owner",
        keep=_KEEP,
        columns={
            "id": Plain("key"),
            "customer": Plain("link"),
            "provider": Plain("config"),
            "reference": Personal("payment", "order", erase=OnErasure.DELETE),
            "live": Plain("state"),
            "created_at": Plain("time"),
        },
    ),
    "payments.InboxEvent": Model(
        path="nobody: that a provider told us something, by its own opaque ids; gone after 40 days",
        columns={
            "id": Plain("key"),
            "account": Plain("config"),
            "event_id": Plain("key"),
            "type": Plain("state"),
            "object_id": Plain("key"),
            "livemode": Plain("state"),
            "api_version": Plain("config"),
            "created_at": Plain("time"),
            "sha256": Plain("hash"),
            "state": Plain("state"),
            "error": Plain("state"),
            "received_at": Plain("time"),
        },
    ),
    "payments.Finding": Model(
        path="nobody: in what our books and a provider's do not agree, by its own opaque ids",
        columns={
            "id": Plain("key"),
            "provider": Plain("config"),
            "what": Plain("state"),
            "reference": Plain("key"),
            "amount_minor": Plain("amount"),
            "currency": Plain("amount"),
            "found_at": Plain("time"),
            "ended_at": Plain("time"),
        },
    ),
    "payments.Refund": Model(
        path="order.customer.owner",
        keep=_KEEP,
        columns={
            "id": Plain("key"),
            "order": Plain("link"),
            "attempt": Plain("link"),
            "state": _payment(),
            "origin": Plain("state"),
            "reason": _payment(),
            "amount_minor": _payment(),
            "currency": Plain("amount"),
            "reference": _payment(),
            "revokes": Plain("state"),
            "error": Plain("state"),
            "created_at": _payment(),
            "settled_at": _payment(),
        },
    ),
    "payments.Dispute": Model(
        path="order.customer.owner",
        keep=_KEEP,
        columns={
            "id": Plain("key"),
            "order": Plain("link"),
            "attempt": Plain("link"),
            "reference": _payment(),
            "state": _payment(),
            "reason": _payment("order", "security"),
            "amount_minor": _payment(),
            "currency": Plain("amount"),
            "respond_by": Plain("time"),
            "created_at": _payment(),
            "closed_at": _payment(),
        },
    ),
    "payments.Series": Model(
        path="nobody: counters of documents",
        columns={"id": Plain("key"), "name": Plain("config"), "next_number": Plain("count")},
    ),
    "payments.Document": Model(
        path="order.customer.owner",
        keep=Keep("tax", since="issued_at"),
        columns={
            "id": Plain("key"),
            "series": Plain("link"),
            "number": Plain("key"),
            "kind": Plain("state"),
            "order": Plain("link"),
            "refund": Plain("link"),
            "corrects": Plain("link"),
            "currency": Plain("amount"),
            "total_minor": Personal("order", "order", "legal", erase=OnErasure.KEEP),
            "tax_minor": Plain("amount"),
            "snapshot": Personal("order", "legal", erase=OnErasure.KEEP),
            "sha256": Plain("hash"),
            "issued_at": Personal("order", "legal", erase=OnErasure.KEEP),
        },
    ),
    "payments.Buyer": Model(
        path="customer.owner",
        keep=Keep("order", since="updated_at"),
        columns={
            "id": Plain("key"),
            "customer": Plain("link"),
            "name": _buyer(),
            "address": _buyer(),
            "vat_id": _buyer(),
            "country": Personal("order", "order", "legal", export=Export.PROVIDED),
            "vat_state": Personal("order", "legal"),
            "vat_checked_at": Plain("time"),
            "updated_at": Plain("time"),
        },
    ),
    "payments.DocumentBuyer": Model(
        path="document.order.customer.owner",
        keep=Keep("order", since="document.order.created_at", note="Goes when the order loses its person."),
        columns={
            "id": Plain("key"),
            "document": Plain("link"),
            "body": Personal("order", "legal", erase=OnErasure.SHRED, export=Export.PROVIDED, sealed=True),
            "created_at": Plain("time"),
        },
    ),
    "payments.VaultEntry": Model(
        path="document.order.customer.owner",
        keep=Keep("tax", since="document.issued_at"),
        columns={
            "id": Plain("key"),
            "document": Plain("link"),
            "year": Plain("time: the fiscal year"),
            "sealed_body": Personal(
                "order", "legal", erase=OnErasure.VAULT, export=Export.WITHHELD, sealed=True
            ),
        },
        note="The same words as the document's own buyer, sealed under the key of the fiscal year;"
        " opened for a tax audit only, by two people.",
    ),
    "payments.Transfer": Model(
        path="order.customer.owner",
        keep=_KEEP,
        columns={
            "id": Plain("key"),
            "order": Plain("link"),
            "mark": Plain("hash"),
            "origin": Plain("state"),
            "booked_on": _payment(),
            "amount_minor": _payment(),
            "currency": Plain("amount"),
            "returned_on": Plain("time"),
            "created_at": Plain("time"),
        },
    ),
}
