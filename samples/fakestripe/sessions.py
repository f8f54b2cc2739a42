"""What the types cannot say about a Checkout Session."""

from __future__ import annotations

from samples.fakestripe.schema import BadRequest
from samples.fakestripe.store import Row


def trial_days(mode: str, fields: Row, source: Row) -> int:
    """How long a trial lasts; 0 without one."""
    days = int(source.get("trial_period_days", 0))
    if "trial_period_days" in source and not 1 <= days <= 730:
        raise BadRequest("trial_period_days is 1 to 730", "subscription_data[trial_period_days]")
    if fields.get("payment_method_collection") == "if_required":
        if mode != "subscription":
            raise BadRequest("payment_method_collection goes with mode=subscription", "mode")
        ending = (source.get("trial_settings") or {}).get("end_behavior") or {}
        if days and ending.get("missing_payment_method") not in ("cancel", "pause"):
            raise BadRequest(
                "say what happens when a trial ends without a payment method", "subscription_data"
            )
    return days


def check_items(mode: str, items: list[Row]) -> None:
    """What the types cannot say about the lines of a session."""
    if mode not in ("payment", "subscription") or not items:
        raise BadRequest("mode and line_items are needed here", "mode", "parameter_missing")
    for item in items:
        price = item.get("price_data") or {}
        if "unit_amount" not in price or "product_data" not in price:
            raise BadRequest(
                "price_data needs unit_amount and product_data", "line_items", "parameter_missing"
            )
        if price["unit_amount"] < 0 or item.get("quantity", 1) < 1:
            raise BadRequest("amounts and quantities are positive", "line_items")
        if ("recurring" in price) != (mode == "subscription"):
            raise BadRequest("recurring prices go with mode=subscription", "mode")
    if any(len(item["price_data"]["currency"]) != 3 for item in items):
        raise BadRequest("Invalid currency.", "line_items", "invalid_currency")
    if len({item["price_data"]["currency"] for item in items}) > 1:
        raise BadRequest("all prices need the same currency", "line_items")
