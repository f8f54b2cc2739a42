"""Coupons: made by operators, used once by each customer, set aside with the order that names them."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from tollkeeper.core.discounts import Discount
from tollkeeper.core.tax import Tax
from tollkeeper.core.terms import PlanTerms
from tollkeeper.sales.models import Coupon, CouponUse, Order
from tollkeeper.sales.services import CannotOrder

_CODE = re.compile(r"[A-Z0-9][A-Z0-9-]{2,29}")
DURATIONS = ("once", "months", "forever")
"""How long a coupon holds on a plan that renews."""
HELD = ("reserved", "used")


class BadCoupon(ValueError):
    """A coupon cannot be made like that; the text says why."""


@dataclass(frozen=True, slots=True)
class CouponRow:
    """A coupon as the desk shows it."""

    coupon_id: int
    code: str
    discount: Discount
    duration: str
    months: int | None
    plans: tuple[str, ...]
    most_uses: int | None
    used_count: int
    ends_at: dt.datetime | None
    cancelled: bool


def make(
    code: str,
    discount: Discount,
    *,
    plans: tuple[str, ...] = (),
    duration: str = "once",
    months: int | None = None,
    most_uses: int | None = None,
    ends_at: dt.datetime | None = None,
) -> int:
    """Make a coupon; answers its id. Raises :class:`BadCoupon`."""
    code = tidy(code)
    if _CODE.fullmatch(code) is None:
        raise BadCoupon("a code has 3 to 30 letters, digits and hyphens")
    if most_uses is not None and most_uses < 1:
        raise BadCoupon("a coupon can be used at least once")
    if duration not in DURATIONS:
        raise BadCoupon(f"a coupon lasts {', '.join(DURATIONS)}")
    if (duration == "months") != (months is not None and 1 <= months <= 120):
        raise BadCoupon("say for how many months, 1 to 120, if it lasts months, and only then")
    try:
        with transaction.atomic():
            return Coupon.objects.create(
                code=code,
                percent_bp=discount.percent_bp,
                amount_minor=discount.amount_minor,
                currency=discount.currency,
                plans=",".join(plans),
                duration=duration,
                months=months,
                most_uses=most_uses,
                ends_at=ends_at,
            ).pk
    except IntegrityError:
        raise BadCoupon(f"there is a coupon {code} already") from None


def cancel(coupon_id: int) -> None:
    """Nobody uses the coupon any more; orders that have set it aside keep it."""
    Coupon.objects.filter(pk=coupon_id, cancelled_at=None).update(cancelled_at=timezone.now())


def tidy(code: str) -> str:
    """A code as it is compared."""
    return code.strip().upper()


def look_up(customer_id: int | None, code: str, plan: PlanTerms, currency: str, now: dt.datetime) -> Coupon:
    """The coupon, if the customer may use it for that; raises ``CannotOrder``.

    Its codes: ``coupon_unknown``, ``coupon_over``, ``coupon_not_here``, ``coupon_used``.
    """
    row = Coupon.objects.filter(code=tidy(code), cancelled_at=None).first()
    if row is None:
        raise CannotOrder("coupon_unknown")
    if (row.ends_at is not None and row.ends_at <= now) or (
        row.most_uses is not None and row.used_count >= row.most_uses
    ):
        raise CannotOrder("coupon_over")
    wanted = row.plans.split(",") if row.plans else None
    if plan.kind == "free" or (wanted and plan.slug not in wanted) or row.currency not in ("", currency):
        raise CannotOrder("coupon_not_here")
    if customer_id and CouponUse.objects.filter(coupon=row, customer_id=customer_id, state__in=HELD).exists():
        raise CannotOrder("coupon_used")
    return row


def discount_of(row: Coupon) -> Discount:
    """What a coupon takes off."""
    return Discount(row.percent_bp, row.amount_minor, row.currency)


def lasts(row: Coupon) -> tuple[str, int]:
    """How long a coupon holds on a plan that renews: its duration, and how many months."""
    return row.duration, row.months or 0


def of_order(order: Order) -> Coupon | None:
    """The coupon that an order has set aside or used."""
    return Coupon.objects.filter(uses__order=order, uses__state__in=HELD).first()


def off_on(row: Coupon, plan: str, price_minor: int, tax: Tax) -> int:
    """What a coupon takes off a plan's price, tax included; nothing if it is not for the plan."""
    wanted = row.plans.split(",") if row.plans else None
    if wanted and plan not in wanted:
        return 0
    whole, _ = tax.of(price_minor)
    return whole - tax.of(price_minor - discount_of(row).off(price_minor))[0]


def reserve(row: Coupon, order: Order) -> None:
    """Set a coupon aside for an order, in its transaction: of any number who try at once, as many as may."""
    free = Coupon.objects.filter(Q(most_uses=None) | Q(used_count__lt=F("most_uses")), pk=row.pk)
    if not free.update(used_count=F("used_count") + 1):
        raise CannotOrder("coupon_over")
    try:
        with transaction.atomic():
            CouponUse.objects.create(coupon=row, order=order, customer_id=order.customer_id)
    except IntegrityError:
        raise CannotOrder("coupon_used") from None


def keep(order: Order) -> None:
    """The order was paid: its coupon is used. Late money counts at the price that was told."""
    CouponUse.objects.filter(order=order, state="reserved").update(state="used")


def release(order: Order) -> None:
    """The order ended unpaid: its coupon can be used again."""
    if CouponUse.objects.filter(order=order, state="reserved").update(state="released"):
        used = CouponUse.objects.filter(order=order).values_list("coupon_id", flat=True)
        Coupon.objects.filter(pk__in=list(used), used_count__gt=0).update(used_count=F("used_count") - 1)


def list_coupons(limit: int = 200) -> list[CouponRow]:
    """All coupons, newest first."""
    return [
        CouponRow(
            row.pk,
            row.code,
            discount_of(row),
            row.duration,
            row.months,
            tuple(filter(None, row.plans.split(","))),
            row.most_uses,
            row.used_count,
            row.ends_at,
            row.cancelled_at is not None,
        )
        for row in Coupon.objects.order_by("-pk")[:limit]
    ]
