"""The snapshot of a document, as the flow that issues it makes one."""

from __future__ import annotations

from typing import Any

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
