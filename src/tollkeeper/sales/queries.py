"""What others may read of orders and subscriptions: frozen rows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Max
from django.utils import timezone

from tollkeeper.core.terms import LineTerms, OverageTerms, decode_line_terms
from tollkeeper.kit.literals import Literal
from tollkeeper.sales.models import Order, OrderLine, PlanChange, Subscription
from tollkeeper.sales.services import LIVE, NoSuchOrder


@dataclass(frozen=True, slots=True)
class LineView:
    """A line with its frozen terms; ``starts_at``/``ends_at`` bound the period it pays for, if any."""

    line_id: int
    order_id: int
    order_number: str
    customer_id: int
    title: str
    plan: str
    plan_version: int
    price: str
    quantity: int
    amount_minor: int
    tax_minor: int
    tax_bp: int
    currency: str
    terms: LineTerms
    starts_at: dt.datetime | None
    ends_at: dt.datetime | None
    delivered_at: dt.datetime | None
    anchor_at: dt.datetime | None = None
    """Where the periods of its subscription are counted from."""
    subscription_id: int | None = None
    off_minor: int = 0
    """What a coupon took off, tax included."""


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as pages show it. ``status`` is the one word made of its three axes."""

    order_id: int
    number: str
    customer_id: int
    customer: str
    kind: str
    title: str
    lifecycle: str
    money: str
    review: str
    status: str
    currency: str
    total_minor: int
    tax_minor: int
    tax_note: str
    captured_minor: int
    refunded_minor: int
    live: bool
    language: str
    version: int
    subscription: str
    created_at: dt.datetime
    expires_at: dt.datetime | None
    paid_at: dt.datetime | None
    lines: tuple[LineView, ...]


@dataclass(frozen=True, slots=True)
class PlanView:
    """The plan a customer has now, with the bounds of the newest period that has begun.

    ``subscription`` is the public number; ``pending_plan`` the name of what it will be with the
    next period, or empty.
    """

    subscription_id: int
    subscription: str
    customer_id: int
    plan: str
    price: str
    title: str
    state: str
    currency: str
    amount_minor: int
    period: str
    starts_at: dt.datetime | None
    ends_at: dt.datetime | None
    ends_with_period: bool
    pending_plan: str
    past_due_at: dt.datetime | None
    provider: str
    reference: str
    version: int
    overage: OverageTerms | None = None
    overage_cap_minor: int = 0
    pending_period: str = ""
    """How often it will renew then, if that is another rhythm."""


def status(lifecycle: str, money: str, review: str, delivered: bool) -> str:
    """One word for people, from the three axes.

    ``in_review``, ``refunded``, ``charged_back``, ``disputed``, ``part_refunded``, ``delivered``,
    ``preparing``, ``processing``, ``expired``, ``cancelled`` or ``awaiting_payment``.
    """
    if review:
        return "in_review"
    if money in ("refunded", "charged_back", "disputed", "part_refunded", "processing"):
        return money
    if money in ("paid", "overpaid"):
        return "delivered" if delivered else "preparing"
    return lifecycle if lifecycle in ("expired", "cancelled") else "awaiting_payment"


def _line(row: OrderLine, order: Order) -> LineView:
    return LineView(
        row.pk,
        order.pk,
        order.number,
        order.customer_id,
        row.title,
        row.plan,
        row.plan_version,
        row.price,
        row.quantity,
        row.amount_minor,
        row.tax_minor,
        row.tax_bp,
        order.currency,
        decode_line_terms(row.terms),
        row.starts_at,
        row.ends_at,
        row.delivered_at,
        row.anchor_at or (order.subscription.anchor_at if order.subscription else None),
        order.subscription_id,
        row.off_minor,
    )


def _order(row: Order) -> OrderView:
    lines = tuple(_line(line, row) for line in row.lines.all())
    delivered = bool(lines) and all(line.delivered_at for line in lines)
    return OrderView(
        row.pk,
        row.number,
        row.customer_id,
        row.customer.public_id,
        row.kind,
        ", ".join(line.title for line in lines),
        row.lifecycle,
        row.money,
        row.review,
        status(row.lifecycle, row.money, row.review, delivered),
        row.currency,
        row.total_minor,
        row.tax_minor,
        row.tax_note,
        row.captured_minor,
        row.refunded_minor,
        row.live,
        row.language,
        row.version,
        row.subscription.number if row.subscription else "",
        row.created_at,
        row.expires_at,
        row.paid_at,
        lines,
    )


_ROWS = Order.objects.select_related("customer", "subscription").prefetch_related("lines")


def list_orders(customer_id: int, limit: int = 50, offset: int = 0) -> tuple[OrderView, ...]:
    """A customer's orders, newest first."""
    rows = _ROWS.filter(customer_id=customer_id).order_by("-created_at", "-pk")
    return tuple(_order(row) for row in rows[offset : offset + limit])


def get_order(customer_id: int, number: str) -> OrderView:
    """A customer's order; raises :class:`NoSuchOrder`, also for somebody else's."""
    row = _ROWS.filter(customer_id=customer_id, number=number).first()
    if row is None:
        raise NoSuchOrder(number)
    return _order(row)


def find_order(number: str) -> OrderView | None:
    """An order by its number, whoever's it is: for flows and operators."""
    row = _ROWS.filter(number=number).first()
    return _order(row) if row else None


def order_by_id(order_id: int) -> OrderView:
    """An order; raises :class:`NoSuchOrder`."""
    row = _ROWS.filter(pk=order_id).first()
    if row is None:
        raise NoSuchOrder(str(order_id))
    return _order(row)


def recent_orders(limit: int = 100, review_only: bool = False) -> tuple[OrderView, ...]:
    """The newest orders of everybody, for the desk."""
    rows = _ROWS.exclude(review="") if review_only else _ROWS.all()
    return tuple(_order(row) for row in rows.order_by("-pk")[:limit])


def get_line(line_id: int) -> LineView:
    """A line by its id, with all that its fulfilment reads; raises :class:`NoSuchOrder`."""
    row = OrderLine.objects.select_related("order__subscription").filter(pk=line_id).first()
    if row is None:
        raise NoSuchOrder(str(line_id))
    return _line(row, row.order)


def open_with_coupon(customer_id: int, offer: str, quantity: int, code: str) -> str:
    """The number of an unpaid order that has set this coupon aside already, or empty text."""
    if not code:
        return ""
    name = offer + (f"*{quantity}" if quantity > 1 else "") + f"?{code}"
    rows = Order.objects.filter(customer_id=customer_id, offer=name, lifecycle="open", money="unpaid")
    return rows.values_list("number", flat=True).first() or ""


def expiring_orders(now: dt.datetime, limit: int = 100) -> tuple[int, ...]:
    """Ids of orders whose time is up and that nobody paid."""
    rows = Order.objects.filter(lifecycle=Literal("open"), money=Literal("unpaid"), expires_at__lte=now)
    return tuple(rows.order_by("expires_at").values_list("pk", flat=True)[:limit])


def _plan(row: Subscription) -> PlanView:
    now = timezone.now()
    last = row.periods.filter(starts_at__lte=now).order_by("-number").first()
    waiting = row.changes.filter(state="requested", kind="downgrade").first()
    return PlanView(
        row.pk,
        row.number,
        row.customer_id,
        row.plan,
        row.price,
        row.title,
        row.state,
        row.currency,
        row.amount_minor,
        row.period,
        last.starts_at if last else None,
        last.ends_at if last else None,
        row.ends_with_period,
        waiting.title if waiting else "",
        row.past_due_at,
        row.provider,
        row.reference,
        row.version,
        decode_line_terms(row.terms).overage,
        row.overage_cap_minor,
        waiting.period if waiting and waiting.anchor_at else "",
    )


def current_plan(customer_id: int) -> PlanView | None:
    """The live plan that costs most, or None."""
    rows = Subscription.objects.filter(customer_id=customer_id, state__in=LIVE)
    row = rows.order_by("-amount_minor", "-pk").first()
    return _plan(row) if row else None


def list_plans(customer_id: int) -> tuple[PlanView, ...]:
    """All live plans of a customer."""
    rows = Subscription.objects.filter(customer_id=customer_id, state__in=LIVE).order_by("-amount_minor")
    return tuple(_plan(row) for row in rows)


def find_plan(provider: str, reference: str) -> PlanView | None:
    """A subscription by the provider's id."""
    row = Subscription.objects.filter(provider=provider, reference=reference).first()
    return _plan(row) if row else None


def get_plan(subscription_id: int) -> PlanView:
    """A subscription by its id; raises ``Subscription.DoesNotExist``."""
    return _plan(Subscription.objects.get(pk=subscription_id))


def plan_of_order(order_id: int) -> PlanView | None:
    """The subscription that an order belongs to, live or not."""
    row = Subscription.objects.filter(orders__pk=order_id).first()
    return _plan(row) if row else None


def plans_of_product(plan: str) -> tuple[int, ...]:
    """The live subscriptions of a product."""
    return tuple(Subscription.objects.filter(plan=plan, state__in=LIVE).values_list("pk", flat=True))


def plans_to_renew(provider: str, now: dt.datetime, limit: int = 200) -> tuple[int, ...]:
    """Ids of live subscriptions of a provider whose newest period is over."""
    rows = Subscription.objects.filter(provider=provider, state__in=["active", "past_due"])
    rows = rows.annotate(until=Max("periods__ends_at")).filter(until__lte=now)
    return tuple(rows.order_by("until").values_list("pk", flat=True)[:limit])


def plans_to_check(provider: str, now: dt.datetime, limit: int = 200) -> tuple[tuple[int, str], ...]:
    """(id, provider's reference) of live subscriptions that should have heard of their next period."""
    rows = Subscription.objects.filter(provider=provider, state__in=LIVE).exclude(reference="")
    rows = rows.annotate(until=Max("periods__ends_at")).filter(until__lte=now - dt.timedelta(hours=2))
    return tuple(rows.order_by("until").values_list("pk", "reference")[:limit])


def change_of(order_id: int) -> int | None:
    """The id of the change of plan that an order pays for."""
    return PlanChange.objects.filter(order_id=order_id).values_list("pk", flat=True).first()


def waiting_upgrade(customer_id: int, number: str) -> int | None:
    """The id of the unpaid order of an upgrade that a customer asked for before."""
    rows = PlanChange.objects.filter(
        subscription__customer_id=customer_id,
        subscription__number=number,
        state="requested",
        order__lifecycle="open",
        order__money="unpaid",
    )
    return rows.values_list("order_id", flat=True).first()
