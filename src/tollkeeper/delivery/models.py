"""Hand-over: which line was delivered as what, the keys, and the directory of the gates."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from tollkeeper.core import states
from tollkeeper.kit.fields import EpochField
from tollkeeper.kit.sealed import SealedTextField


class Key(models.Model):
    """A key of a customer. Of the text itself only a keyed hash stands here.

    ``own`` is what the customer asked to be narrowed (JSON of ``delivery.keyring.Own``);
    what the key may do is that, cut with the terms of what was delivered, or with
    ``terms`` where nothing delivered is live.
    """

    customer = models.ForeignKey("accounts.Customer", on_delete=models.PROTECT, related_name="keys")
    name = SealedTextField(subject="customer.owner_id")
    prefix_hint = models.CharField(max_length=20)
    digest = models.BinaryField(max_length=16, unique=True)
    unit = models.CharField(max_length=40)
    test = models.BooleanField(default=False)
    terms = models.TextField()
    own = models.TextField(default="{}")
    state = models.CharField(max_length=12, default=states.KEY.initial)
    replaces = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="successors")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = EpochField(null=True)
    revoked_at = EpochField(null=True)
    last_used_on = models.DateField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["customer", "unit"], name="delivery_key_owner"),
            models.Index(
                fields=["expires_at"], condition=Q(expires_at__isnull=False), name="delivery_key_expiry"
            ),
        ]

    def __str__(self) -> str:
        return f"key {self.pk}"


class Suspension(models.Model):
    """One reason why keys are stopped: all of a customer's, or one. Live as long as any reason stands."""

    customer = models.ForeignKey("accounts.Customer", on_delete=models.PROTECT, related_name="suspensions")
    key = models.ForeignKey(Key, null=True, on_delete=models.PROTECT, related_name="suspensions")
    reason = models.CharField(max_length=40)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "reason"], condition=Q(key__isnull=True), name="delivery_suspension_all"
            ),
            models.UniqueConstraint(
                fields=["key", "reason"], condition=Q(key__isnull=False), name="delivery_suspension_one"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reason} of customer {self.customer_id}"


class KeyEntry(models.Model):
    """A row of the gates' directory; the table is a contract with them."""

    key = models.OneToOneField(Key, primary_key=True, on_delete=models.PROTECT, db_constraint=False)
    digest = models.BinaryField(max_length=16, unique=True)
    customer_id = models.BigIntegerField()
    tenant = models.CharField(max_length=40)
    state = models.CharField(max_length=12)
    reason = models.CharField(max_length=40, default="")
    terms = models.TextField()
    expires_at = EpochField(null=True)
    version = models.BigIntegerField(db_index=True)

    def __str__(self) -> str:
        return f"entry of key {self.pk}"


class StoppedPlan(models.Model):
    """A plan whose keys an operator has stopped; ``reason`` is told to its customers.

    Gates lend nothing of its grants: the table is a contract with them.
    """

    plan = models.CharField(max_length=40, primary_key=True)
    reason = models.CharField(max_length=200)
    since = EpochField()

    def __str__(self) -> str:
        return self.plan


class Feed(models.Model):
    """The one row that numbers changes of entries; locked, so commits follow versions."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    version = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="delivery_feed_one_row")]

    def __str__(self) -> str:
        return f"version {self.version}"


class Delivery(models.Model):
    """The hand-over of one order line. ``terms`` is what it gives, JSON of ``KeyTerms``.

    For a key at somebody else's relay: ``label`` is its opaque name there and ``handle``
    its id; a renewal takes both over, and the newest delivery of a label leads. Of its text
    stand here its two ends (``hint``) and a keyed hash (``digest``). ``units``
    is what this line gave, ``cap`` (on the leader) what the key may use over its life.
    ``wanted`` counts changes of what should be there, ``aligned`` the last that is.
    """

    line_id = models.BigIntegerField(unique=True)
    customer = models.ForeignKey("accounts.Customer", on_delete=models.PROTECT, related_name="deliveries")
    provisioner = models.CharField(max_length=40)
    alias = models.CharField(max_length=60, unique=True)
    plan = models.CharField(max_length=40, default="", db_default="")
    unit = models.CharField(max_length=40)
    terms = models.TextField(default="{}")
    state = models.CharField(max_length=12, default=states.FULFILMENT.initial)
    key = models.ForeignKey(Key, null=True, on_delete=models.PROTECT, related_name="deliveries")
    sealed_secret = models.TextField(null=True)  # noqa: DJ001 - null: there is none, or not any more
    revealed_at = EpochField(null=True)
    error = models.CharField(max_length=120, default="")
    created_at = models.DateTimeField(default=timezone.now)
    delivered_at = EpochField(null=True)
    ends_at = EpochField(null=True)
    ended = models.BooleanField(default=False)
    stopped_at = EpochField(null=True)
    target = models.CharField(max_length=64, default="", db_default="")
    label = models.CharField(max_length=30, default="", db_default="", db_index=True)
    handle = models.CharField(max_length=200, default="", db_default="")
    hint = models.CharField(max_length=12, default="", db_default="")
    digest = models.BinaryField(max_length=16, null=True)
    paused = models.BooleanField(default=False, db_default=False)
    """Its customer has stopped the key at its relay for a while; the same on all lines of a label."""
    attempt = models.IntegerField(default=0, db_default=0)
    sealed_choice = models.TextField(null=True)  # noqa: DJ001 - null: there is none, or not any more
    units = models.BigIntegerField(default=0, db_default=0)
    cap = models.BigIntegerField(null=True)
    wanted = models.IntegerField(default=0, db_default=0)
    aligned = models.IntegerField(default=0, db_default=0)

    class Meta:
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(fields=["customer", "state"], name="delivery_owner"),
            models.Index(fields=["plan", "customer"], name="delivery_plan"),
            models.Index(fields=["ends_at"], condition=Q(ended=False), name="delivery_ending"),
            models.Index(fields=["handle"], condition=~Q(handle=""), name="delivery_handle"),
            models.Index(fields=["digest"], condition=Q(digest__isnull=False), name="delivery_digest"),
        ]

    def __str__(self) -> str:
        return f"delivery of line {self.line_id}"


class DeliveryStep(models.Model):
    """What was done for a delivery and when; shown to the customer."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="steps")
    name = models.CharField(max_length=40)
    at = EpochField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["delivery", "name"], name="delivery_step_once")]

    def __str__(self) -> str:
        return f"{self.name} of delivery {self.delivery_id}"


class CapCut(models.Model):
    """Units of a line that were taken back at its relay, once per ``claim`` (a refund, a dispute).

    Undone, the claim is spent for good: ``undone`` stays.
    """

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="cuts")
    claim = models.CharField(max_length=120, unique=True)
    units = models.BigIntegerField()
    undone = models.BooleanField(default=False, db_default=False)

    def __str__(self) -> str:
        return f"{self.units} of delivery {self.delivery_id}"


class Snapshot(models.Model):
    """A key as it was at its relay. ``odd`` names what should not be: ``fell``, ``above_cap``, ``off``.

    ``attempt`` is that of the delivery: a key that was made anew begins its own count.
    """

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="snapshots")
    attempt = models.IntegerField(default=0, db_default=0)
    as_of = EpochField()
    enabled = models.BooleanField()
    cap = models.BigIntegerField(null=True)
    used = models.BigIntegerField(null=True)
    window = models.CharField(max_length=20, default="")
    resets_at = EpochField(null=True)
    ends_at = EpochField(null=True)
    delay_s = models.FloatField(default=0.0)
    odd = models.CharField(max_length=12, default="")

    class Meta:
        indexes = [models.Index(fields=["delivery", "as_of"], name="delivery_snapshot_time")]

    def __str__(self) -> str:
        return f"delivery {self.delivery_id} as of {self.as_of}"


class TargetState(models.Model):
    """A relay as the last probe found it. Nothing new is sold from one that is not ``open``."""

    name = models.CharField(max_length=64, primary_key=True)
    probed_at = EpochField()
    open = models.BooleanField()
    reason = models.CharField(max_length=120, default="")
    version = models.CharField(max_length=60, default="")
    unit = models.CharField(max_length=20, default="", db_default="")
    keeps = models.CharField(max_length=200, default="", db_default="")
    """Restrictions that survive there, with blanks between."""
    skew_s = models.FloatField(default=0.0, db_default=0.0)
    wallet = models.BigIntegerField(null=True)
    promised = models.BigIntegerField(default=0)
    stopped = models.BooleanField(default=False, db_default=False)
    """An operator has stopped all keys there."""

    def __str__(self) -> str:
        return self.name
