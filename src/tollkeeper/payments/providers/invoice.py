"""Payment by bank transfer: an invoice with a reference, and the bank's own statement as the truth.

Nobody is asked over a network. What came stands in rows of the shop, put there from a bank
file or by an operator; this file only says what follows from them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from tollkeeper.core.settlement import Collected, RefundFact, SubscriptionFact
from tollkeeper.core.terms import OffTerms
from tollkeeper.payments.providers import (
    Asked,
    BadEvent,
    Evidence,
    Intent,
    Item,
    Located,
    Missing,
    Refused,
    Started,
    Taken,
)

PROCESSOR = None
"""The shop's own bank, which the payer chose to write to; nobody handles data for us here."""


class InvoiceProvider:
    """Waits for transfers. ``account`` is (name, IBAN, BIC) of the shop."""

    name = "invoice"
    remote = False
    open_for = dt.timedelta(days=14)

    def __init__(self, live: bool, account: tuple[str, str, str]) -> None:
        self.live, self.account = live, account

    def start(self, intent: Intent) -> Started:
        """Back to the shop's own page, which shows where to send the money."""
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
        state = "succeeded" if asked.received and came >= asked.asked_minor else "open"
        return Collected(
            asked.reference, state, came, asked.currency, asked.live, asked.order, payment=asked.reference
        )

    def instructions(self, order: str, amount: str) -> tuple[tuple[str, str], ...]:
        """(word, value) pairs that the payer needs; the words are keys for translation."""
        name, iban, bic = self.account
        return (("recipient", name), ("iban", iban), ("bic", bic), ("amount", amount), ("reference", order))

    def expire(self, reference: str) -> None:
        """A transfer cannot be stopped; what comes late is late money."""

    def refund(self, refund: str, payment: str, amount_minor: int, currency: str, order: str) -> RefundFact:
        """An operator sends the money back by hand and says so; until then it is pending."""
        if not payment.startswith("inv_"):
            raise Missing("no_such_payment")
        return RefundFact(f"hand_{refund}", "pending", amount_minor, refund)

    def read_event(self, body: bytes, signature: str, now: dt.datetime) -> Any:
        """Nobody writes to us."""
        raise BadEvent("this provider sends no events")

    def missed(self, since: dt.datetime) -> tuple[Any, ...]:
        """Nobody writes to us."""
        return ()

    def locate(self, kind: str, object_id: str) -> Located:
        """Nothing to ask."""
        return Located()

    def subscription(self, reference: str) -> SubscriptionFact:
        """Nothing renews by transfer."""
        raise Missing("no_subscriptions")

    def cancel(self, reference: str, *, at_end: bool) -> None:
        """Nothing renews by transfer."""

    def pause(self, reference: str) -> None:
        """Nothing renews by transfer."""

    def resume(self, reference: str) -> None:
        """Nothing renews by transfer."""

    def change(
        self, reference: str, item: Item, currency: str, key: str, off: OffTerms | None = None
    ) -> None:
        """Nothing renews by transfer."""

    def portal(self, payer: str, back: str) -> str:
        """There is nothing to change."""
        raise Refused("no_portal")

    def contest(self, dispute: str, evidence: Evidence) -> None:
        """No bank takes anything back here."""
        raise Missing("no_disputes")

    def taken(self, since: dt.datetime) -> tuple[Taken, ...]:
        """All there is stands in our own rows."""
        return ()

    def forget(self, payer: str) -> None:
        """Nobody knows anybody."""


def build(options: Mapping[str, Any]) -> InvoiceProvider:
    """``options``: ``live``, ``account`` as (name, IBAN, BIC)."""
    name, iban, bic = (*options.get("account", ()), "", "", "")[:3]
    return InvoiceProvider(bool(options.get("live", False)), (name, iban, bic))
