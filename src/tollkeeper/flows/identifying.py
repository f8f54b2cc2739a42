"""Finding out whose request it is: what an account could show, and whether a given fact is one of it."""

from __future__ import annotations

import hmac
import uuid

from tollkeeper.accounts import queries as accounts
from tollkeeper.core.identity import Risk
from tollkeeper.delivery import queries as deliveries
from tollkeeper.payments import queries as payments
from tollkeeper.sales import queries as sales

_ORDERS = 1000


def facts_of(subject: uuid.UUID) -> dict[str, set[str]]:
    """What the owner of an account may be asked for: numbers of orders and invoices, ends of keys.

    A name of ``core.identity.FACTS`` → the texts that are right, in lower case.
    """
    customer = accounts.customer_of(subject)
    if customer is None:
        return {}
    found = {
        "order": {one.number.lower() for one in sales.list_orders(customer, _ORDERS)},
        "invoice": {one.number.lower() for one in payments.list_documents(customer)},
        "key": {one.prefix_hint[-4:].lower() for one in deliveries.list_keys(customer)},
    }
    return {name: texts for name, texts in found.items() if texts}


def which_fact(subject: uuid.UUID, given: str) -> str:
    """The name of the fact that a text is; empty if it is none. Takes the same time either way."""
    clean, found = "".join(given.split()).lower(), ""
    for name, texts in facts_of(subject).items():
        said = clean[-4:] if name == "key" and len(clean) >= 4 else clean
        for text in texts:
            if hmac.compare_digest(said.encode(), text.encode()):
                found = found or name
    return found


def risk_of(contact: str) -> Risk:
    """What is known of the account behind an address; nothing of it is told to anybody."""
    user = accounts.find_user(contact)
    if user is None:
        return Risk()
    return Risk(
        account=True,
        could_show_more=user.is_active or bool(facts_of(user.pk)),
        raised=user.is_staff or accounts.has_factor(user.pk),
    )
