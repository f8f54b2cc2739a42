"""Orders and what renews. An order has three axes: lifecycle, money, fulfilment.

The lifecycle moves through :data:`core.states.ORDER`, the money is derived from the
rows of ``payments`` and copied here for reading, the fulfilment lives with the
delivery. Orders are never deleted; their lines never change.
"""

from __future__ import annotations

import secrets

from django.db import models
from django.db.models import Q
from django.utils import timezone

_READABLE = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"


def order_number() -> str:
    """An opaque number that people can read out: 50 random bits, no look-alikes."""
    text = "".join(secrets.choice(_READABLE) for _ in range(10))
    return f"TK-{text[:5]}-{text[5:]}"


def subscription_number() -> str:
    """An opaque number of a subscription."""
    return "sub_" + secrets.token_hex(10)


class Subscription(models.Model):
    """A plan that renews. Access comes from paid periods; ``state`` per SUBSCRIPTION.

    Its periods are counted from ``anchor_at``; the one that begins there is ``first_number``, which is
    not 0 once it has changed its rhythm. ``off_minor`` is what a coupon takes off each period that
    begins before ``off_ends_at`` (None: off all of them). ``with_product``: its product is stopped, so
    it asks for nothing, and goes on when the product does.
    """

    number = models.CharField(max_length=28, unique=True, default=subscription_number, editable=False)
    customer = models.ForeignKey("accounts.Customer", on_delete=models.PROTECT, related_name="subscriptions")
    plan = models.CharField(max_length=64)
    plan_version = models.PositiveIntegerField()
    price = models.CharField(max_length=64)
    period = models.CharField(max_length=8)
    terms = models.TextField()
    title = models.CharField(max_length=200)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField(default=0)
    tax_bp = models.PositiveIntegerField(default=0)
    tax_note = models.CharField(max_length=16, blank=True)
    live = models.BooleanField(default=False)
    provider = models.CharField(max_length=32)
    reference = models.CharField(max_length=255, blank=True)
    state = models.CharField(max_length=16, default="incomplete")
    anchor_at = models.DateTimeField()
    first_number = models.IntegerField(default=0)
    ends_with_period = models.BooleanField(default=False)
    with_product = models.BooleanField(default=False, db_default=False)
    past_due_at = models.DateTimeField(null=True)
    trial_ends_at = models.DateTimeField(null=True)
    overage_cap_minor = models.BigIntegerField(default=0)
    coupon = models.ForeignKey("Coupon", null=True, on_delete=models.PROTECT, related_name="subscriptions")
    off_minor = models.BigIntegerField(default=0)
    off_ends_at = models.DateTimeField(null=True)
    version = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "plan"],
                condition=~Q(state__in=["incomplete", "cancelled"]),
                name="one_live_subscription_per_plan",
            ),
            models.UniqueConstraint(
                fields=["provider", "reference"],
                condition=~Q(reference=""),
                name="subscription_reference_once",
            ),
            models.UniqueConstraint(
                fields=["customer"],
                condition=Q(trial_ends_at__isnull=False),
                name="one_trial_per_customer",
            ),
        ]
        indexes = [models.Index(fields=["state", "provider"], name="subscription_state")]

    def __str__(self) -> str:
        return self.number


class Order(models.Model):
    """One purchase, renewal or change of plan.

    ``review`` names what does not match and keeps the order from being fulfilled;
    ``version`` counts settlements, so that an older view of the provider never overwrites
    a newer one; ``late`` says what becomes of money that comes after expiry.
    """

    number = models.CharField(max_length=16, unique=True, default=order_number, editable=False)
    customer = models.ForeignKey("accounts.Customer", on_delete=models.PROTECT, related_name="orders")
    kind = models.CharField(max_length=12, default="purchase")
    offer = models.CharField(max_length=140)
    subscription = models.ForeignKey(Subscription, null=True, on_delete=models.PROTECT, related_name="orders")
    lifecycle = models.CharField(max_length=12, default="draft")
    money = models.CharField(max_length=16, default="unpaid")
    review = models.CharField(max_length=24, blank=True)
    cleared = models.CharField(max_length=24, blank=True)
    currency = models.CharField(max_length=3)
    total_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField(default=0)
    tax_note = models.CharField(max_length=16, blank=True)
    captured_minor = models.BigIntegerField(default=0)
    refunded_minor = models.BigIntegerField(default=0)
    live = models.BooleanField(default=False)
    late = models.CharField(max_length=8, default="fulfil")
    language = models.CharField(max_length=8, default="en")
    version = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(total_minor__gte=0), name="order_total_not_negative"),
            models.UniqueConstraint(
                fields=["customer", "offer"],
                condition=Q(lifecycle__in=["draft", "open"], money="unpaid", kind="purchase", review=""),
                name="one_open_order_per_offer",
            ),
        ]
        indexes = [
            models.Index(fields=["customer", "-created_at"], name="order_of_customer"),
            models.Index(
                fields=["expires_at"], condition=Q(lifecycle="open", money="unpaid"), name="order_expiring"
            ),
        ]

    def __str__(self) -> str:
        return self.number


class OrderLine(models.Model):
    """What was promised at the moment of sale. ``terms`` is JSON of ``core.terms.LineTerms``.

    ``amount_minor`` is what the customer pays for the line, tax included, ``off_minor`` what a
    coupon took off before;
    ``starts_at``/``ends_at`` bound the period that a line of a subscription pays for; ``anchor_at`` is
    where its months are counted from, if the subscription itself counts (or will) from elsewhere.
    """

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines")
    position = models.PositiveSmallIntegerField(default=1)
    title = models.CharField(max_length=200)
    plan = models.CharField(max_length=64)
    plan_version = models.PositiveIntegerField()
    price = models.CharField(max_length=64)
    quantity = models.PositiveIntegerField(default=1)
    amount_minor = models.BigIntegerField()
    off_minor = models.BigIntegerField(default=0)
    tax_minor = models.BigIntegerField(default=0)
    tax_bp = models.PositiveIntegerField(default=0)
    terms = models.TextField()
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    anchor_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["order", "position"]
        constraints = [models.UniqueConstraint(fields=["order", "position"], name="line_position_once")]

    def __str__(self) -> str:
        return f"{self.order_id}/{self.position}"


class SubscriptionPeriod(models.Model):
    """A paid period. ``number`` counts from the anchor; ``source`` is what paid for it."""

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="periods")
    number = models.IntegerField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="periods")
    source = models.CharField(max_length=255)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["subscription", "number"]
        constraints = [
            models.UniqueConstraint(fields=["subscription", "number"], name="period_number_once"),
            models.UniqueConstraint(fields=["subscription", "source"], name="period_source_once"),
            models.CheckConstraint(condition=Q(ends_at__gt=models.F("starts_at")), name="period_forward"),
        ]

    def __str__(self) -> str:
        return f"{self.subscription_id}#{self.number}"


class PlanChange(models.Model):
    """Another plan for a subscription: ``upgrade`` when its order is paid, ``downgrade`` with the period.

    ``resume`` is the same plan again, which rested and goes on when its order is paid; ``tax`` the same
    with another tax, from the next period on.

    ``state`` is ``requested``, ``applied`` or ``withdrawn``; what was offered is frozen here. With
    ``anchor_at`` the rhythm changes: from then on it is ``period``.
    """

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="changes")
    kind = models.CharField(max_length=10)
    state = models.CharField(max_length=10, default="requested")
    order = models.OneToOneField(Order, null=True, on_delete=models.PROTECT, related_name="plan_change")
    plan = models.CharField(max_length=64)
    plan_version = models.PositiveIntegerField()
    price = models.CharField(max_length=64)
    title = models.CharField(max_length=200)
    terms = models.TextField()
    amount_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField(default=0)
    tax_bp = models.PositiveIntegerField(default=0)
    tax_note = models.CharField(max_length=16, blank=True)
    off_minor = models.BigIntegerField(default=0)
    period = models.CharField(max_length=8, blank=True)
    anchor_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    applied_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["subscription"],
                condition=Q(state="requested"),
                name="one_open_change_per_subscription",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.subscription_id}"


class Allowance(models.Model):
    """Use beyond a plan in one period, up to a cap of the customer's; ``state`` per ALLOWANCE.

    ``grant_id`` is the grant of the units' ledger that holds it, ``used`` what was used of it when
    it closed, in micro-units; ``order`` is the bill. The price is frozen with it.
    """

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="allowances")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    grant_id = models.BigIntegerField()
    cap_minor = models.BigIntegerField()
    terms = models.TextField()
    state = models.CharField(max_length=8, default="open")
    used = models.BigIntegerField(null=True)
    order = models.OneToOneField(Order, null=True, on_delete=models.PROTECT, related_name="allowance")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subscription", "ends_at"], name="allowance_once_per_period"),
            models.CheckConstraint(condition=Q(cap_minor__gte=0), name="allowance_cap_not_negative"),
        ]

    def __str__(self) -> str:
        return f"allowance {self.pk}"


class Coupon(models.Model):
    """A word that takes something off. ``plans`` are slugs; empty: all that cost something.

    Of a plan that renews it takes it off the first period (``duration`` ``once``), off those that
    begin in ``months`` months, or off all of them (``forever``).
    """

    code = models.CharField(max_length=30, unique=True)
    percent_bp = models.PositiveIntegerField(default=0)
    amount_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, blank=True)
    plans = models.CharField(max_length=400, blank=True)
    duration = models.CharField(max_length=8, default="once")
    months = models.PositiveSmallIntegerField(null=True)
    most_uses = models.PositiveIntegerField(null=True)
    used_count = models.PositiveIntegerField(default=0)
    ends_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    cancelled_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.code


class CouponUse(models.Model):
    """A coupon set aside by an order: ``reserved``, ``used`` when it is paid, ``released`` when not."""

    coupon = models.ForeignKey(Coupon, on_delete=models.PROTECT, related_name="uses")
    order = models.OneToOneField(Order, on_delete=models.PROTECT, related_name="coupon_use")
    customer = models.ForeignKey("accounts.Customer", on_delete=models.PROTECT, related_name="coupon_uses")
    state = models.CharField(max_length=8, default="reserved")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["coupon", "customer"],
                condition=Q(state__in=["reserved", "used"]),
                name="coupon_once_per_customer",
            )
        ]

    def __str__(self) -> str:
        return f"{self.coupon_id} for {self.order_id}"
