"""What costs nothing: no page, no third party. The order is paid the moment it is confirmed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from tollkeeper.core.settlement import Collected, RefundFact
from tollkeeper.payments.providers import Asked, Intent, Missing, Refused, Started
from tollkeeper.payments.providers._local import Local

PROCESSOR = None
"""Nobody handles data for us here."""


class FreeProvider(Local):
    """Collects zero of anything and refuses more."""

    name = "free"
    open_for = dt.timedelta(hours=23)

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

    def refund(self, refund: str, payment: str, amount_minor: int, currency: str, order: str) -> RefundFact:
        """There is nothing to give back."""
        raise Refused("nothing_paid")


def build(options: Mapping[str, Any]) -> FreeProvider:
    """``options``: ``live`` (bool)."""
    return FreeProvider(bool(options.get("live", False)))
