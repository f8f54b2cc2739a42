"""Payment by bank transfer: an invoice with a reference, and the bank's own statement as the truth.

Nobody is asked over a network. What came stands in rows of the shop, put there from a bank
file or by an operator; this file only says what follows from them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from tollkeeper.core.settlement import Collected, RefundFact
from tollkeeper.payments.providers import Asked, Intent, Missing, Refused, Started
from tollkeeper.payments.providers._local import Local

PROCESSOR = None
"""The shop's own bank, which the payer chose to write to; nobody handles data for us here."""


class InvoiceProvider(Local):
    """Waits for transfers. ``account`` is (name, IBAN, BIC) of the shop."""

    name = "invoice"
    open_for = dt.timedelta(days=14)

    def __init__(self, live: bool, account: tuple[str, str, str]) -> None:
        super().__init__(live)
        self.account = account

    def start(self, intent: Intent) -> Started:
        """Back to the shop's own page, which shows where to send the money; nothing renews by transfer."""
        if intent.period is not None or intent.draws_on:
            raise Refused("no_subscriptions")
        return Started(f"inv_{intent.attempt}", intent.success_url)

    def find(self, intent: Intent) -> Started | None:
        """The reference is made of the attempt, so it is always found."""
        return self.start(intent)

    def fetch(self, asked: Asked) -> Collected:
        """Paid once the transfers reach what was asked; more than that is told as it is."""
        if asked.reference != f"inv_{asked.attempt}":
            raise Missing("no_such_reference")
        came = sum(asked.received)
        whole = asked.accepted or came >= asked.asked_minor
        state = "succeeded" if asked.received and whole else "open"
        return Collected(
            asked.reference, state, came, asked.currency, asked.live, asked.order, payment=asked.reference
        )

    def instructions(self, order: str, amount: str) -> tuple[tuple[str, str], ...]:
        """(word, value) pairs that the payer needs; the words are keys for translation."""
        name, iban, bic = self.account
        return (("recipient", name), ("iban", iban), ("bic", bic), ("amount", amount), ("reference", order))

    def refund(self, refund: str, payment: str, amount_minor: int, currency: str, order: str) -> RefundFact:
        """An operator sends the money back by hand and says so; until then it is pending."""
        if not payment.startswith("inv_"):
            raise Missing("no_such_payment")
        return RefundFact(f"hand_{refund}", "pending", amount_minor, refund)


def build(options: Mapping[str, Any]) -> InvoiceProvider:
    """``options``: ``live``, ``account`` as (name, IBAN, BIC)."""
    name, iban, bic = (*options.get("account", ()), "", "", "")[:3]
    return InvoiceProvider(bool(options.get("live", False)), (name, iban, bic))
