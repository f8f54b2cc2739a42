"""What costs nothing: no page, no third party. The order is paid the moment it is confirmed."""

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
"""Nobody handles data for us here."""


class FreeProvider:
    """Collects zero of anything and refuses more."""

    name = "free"
    remote = False
    open_for = dt.timedelta(hours=23)

    def __init__(self, live: bool) -> None:
        self.live = live

    def start(self, intent: Intent) -> Started:
        """Nothing to pay: back to the shop at once."""
        if intent.total_minor != 0:
            raise Refused("not_free")
        return Started(f"free_{intent.attempt}", intent.success_url)

    def find(self, intent: Intent) -> Started | None:
        """The reference is made of the attempt, so it is always found."""
        return self.start(intent)

    def fetch(self, asked: Asked) -> Collected:
        """An order of zero is paid; the reference must be the attempt's own."""
        if asked.reference != f"free_{asked.attempt}":
            raise Missing("no_such_reference")
        state = "succeeded" if asked.asked_minor == 0 else "failed"
        return Collected(asked.reference, state, 0, asked.currency, asked.live, asked.order)

    def expire(self, reference: str) -> None:
        """Nothing is open anywhere."""

    def refund(self, refund: str, payment: str, amount_minor: int, currency: str, order: str) -> RefundFact:
        """There is nothing to give back."""
        raise Refused("nothing_paid")

    def read_event(self, body: bytes, signature: str, now: dt.datetime) -> Any:
        """Nobody writes to us."""
        raise BadEvent("this provider sends no events")

    def locate(self, kind: str, object_id: str) -> Located:
        """Nothing to ask."""
        return Located()

    def missed(self, since: dt.datetime) -> tuple[Any, ...]:
        """Nobody writes to us."""
        return ()

    def subscription(self, reference: str) -> SubscriptionFact:
        """The shop's own rows are the truth."""
        raise Missing("kept_by_the_shop")

    def cancel(self, reference: str, *, at_end: bool) -> None:
        """The shop's own rows are the truth."""

    def pause(self, reference: str) -> None:
        """It is renewed by ourselves, and we do not while it is paused."""

    def resume(self, reference: str) -> None:
        """The shop's own rows are the truth."""

    def change(
        self, reference: str, item: Item, currency: str, key: str, off: OffTerms | None = None
    ) -> None:
        """The shop's own rows are the truth."""

    def portal(self, payer: str, back: str) -> str:
        """There is nothing to pay with."""
        raise Refused("no_portal")

    def contest(self, dispute: str, evidence: Evidence) -> None:
        """No bank takes anything back here."""
        raise Missing("no_disputes")

    def taken(self, since: dt.datetime) -> tuple[Taken, ...]:
        """All there is stands in our own rows."""
        return ()

    def forget(self, payer: str) -> None:
        """Nobody knows anybody."""


def build(options: Mapping[str, Any]) -> FreeProvider:
    """``options``: ``live`` (bool)."""
    return FreeProvider(bool(options.get("live", False)))
