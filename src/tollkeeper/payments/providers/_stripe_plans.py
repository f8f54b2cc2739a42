"""Another price or another rhythm of a subscription at Stripe, from its next period on.

Stripe bills another interval at once, unless the time that is paid already is a trial to it.
Facts: https://docs.stripe.com/api/subscriptions/update
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tollkeeper.payments.providers import Rhythm
from tollkeeper.payments.providers._stripe_facts import ident, plain, to_stripe

Ask = Callable[[Callable[[], Any]], Any]


def change(
    client: Any,
    ask: Ask,
    reference: str,
    amount: tuple[int, str],
    key: str,
    coupon: str,
    rhythm: Rhythm | None,
) -> None:
    """Let the next periods cost ``amount``, our minor units and their currency; nothing is charged for the
    present one.
    """
    service = client.v1.subscriptions
    row = plain(ask(lambda: service.retrieve(reference)))
    held = row["items"]["data"][0]
    interval = held["price"]["recurring"]["interval"]
    price = {
        "currency": amount[1].lower(),
        "product": ident(held["price"]["product"]),
        "recurring": {"interval": rhythm.period if rhythm else interval},
        "unit_amount": to_stripe(*amount),
    }
    params: Any = {"items": [{"id": held["id"], "price_data": price}], "proration_behavior": "none"}
    if coupon:
        params["discounts"] = [{"coupon": coupon}]
    elif row.get("discounts"):
        params["discounts"] = ""
    key = f"chg:{key}"
    if rhythm is not None and rhythm.period != interval:
        params["trial_end"] = int(rhythm.charges_at.timestamp())
        key += f":{rhythm.period}"  # when it is asked again, the interval is another already
    ask(lambda: service.update(reference, params, {"idempotency_key": key}))
