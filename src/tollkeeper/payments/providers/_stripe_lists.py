"""Stripe's own lists, read from a moment on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from stripe import StripeClient

from tollkeeper.payments.providers import Taken
from tollkeeper.payments.providers._stripe_facts import from_stripe, instant, plain


def taken(client: StripeClient, ask: Callable[[Any], Any], since: dt.datetime) -> tuple[Taken, ...]:
    """Checkout Sessions made since then that were paid, as money taken for orders of ours."""
    wanted: Any = {"created": {"gte": int(since.timestamp())}, "limit": 100}
    page = ask(lambda: client.v1.checkout.sessions.list(wanted))
    rows = [plain(row) for row in ask(lambda: list(page.auto_paging_iter()))]
    return tuple(
        Taken(
            row["id"],
            row.get("client_reference_id") or "",
            from_stripe(row.get("amount_total") or 0, row["currency"].upper()),
            row["currency"].upper(),
            instant(row["created"]),
        )
        for row in rows
        if row.get("status") == "complete" and row.get("payment_status") == "paid"
    )
