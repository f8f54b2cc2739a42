"""What must fit together before money moves: versions, keys, modes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from tollkeeper.payments.providers.stripe import API_VERSION, SDK_VERSION


@register("payments")
def check_stripe(app_configs: Sequence[Any] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """The SDK, the pinned API version and the mode of the keys belong together."""
    found: list[CheckMessage] = []
    if SDK_VERSION != API_VERSION:
        found.append(
            Error(
                f"the Stripe SDK speaks {SDK_VERSION}, the adapter {API_VERSION}",
                hint="Move both together, and the API version of the webhook endpoint with them.",
                id="payments.E1",
            )
        )
    options = settings.PAYMENT_OPTIONS.get("stripe", {})
    key = options.get("key", "")
    if not key:
        return found
    if settings.ENV.live != key.startswith(("sk_live_", "rk_live_")):
        found.append(
            Error(
                "the Stripe key is of the other mode than this installation",
                hint="TOLLKEEPER_LIVE=1 goes with a live key, everything else with a test key.",
                id="payments.E2",
            )
        )
    if settings.ENV.live and options.get("base"):
        found.append(
            Error("a live installation must not send its money to STRIPE_API_BASE", id="payments.E3")
        )
    if not options.get("secrets"):
        found.append(
            Warning(
                "no webhook secret: events are refused, and only the sweeper sees payments",
                hint="Set STRIPE_WEBHOOK_SECRET to the secret of the endpoint <TOLLKEEPER_URL>/hooks/stripe.",
                id="payments.W1",
            )
        )
    return found
