"""Units: what was given, lent to gates, spent; and the calls that spent them.

Grants, balances, transactions, entries and leases are also read and written by
the gates in plain SQL: their tables are a contract. Amounts are micro-units.
"""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from tollkeeper.core import states
from tollkeeper.kit import append_only, daily, retiring
from tollkeeper.kit.fields import EpochField

append_only.guard("usage_txn")
append_only.guard("usage_entry", columns=("txn_id", "account", "unit", "amount"))
daily.by_day("usage_call", "called_at")
retiring.declare("usage.Grant", "tollkeeper.usage.carrying.Grants")
retiring.declare("usage.Entry", "tollkeeper.usage.carrying.Entries")
retiring.declare("usage.Code", "tollkeeper.usage.carrying.Codes")


class Grant(models.Model):
    """Units given to a customer. ``remaining`` is the projection of account ``grant:<id>``.

    ``scope`` is the plan they came with, empty for none: gates lend nothing of a plan that is stopped.
    """

    key = models.CharField(max_length=120, unique=True)
    customer_id = models.BigIntegerField()
    unit = models.CharField(max_length=40)
    amount = models.BigIntegerField()
    remaining = models.BigIntegerField()
    clawed = models.BigIntegerField(default=0)
    priority = models.IntegerField(default=0)
    effective_at = EpochField()
    expires_at = EpochField(null=True)
    voided_at = EpochField(null=True)
    scope = models.CharField(max_length=80, default="")
    source = models.CharField(max_length=80)
    renews = models.BooleanField(default=False, db_default=False)
    created_at = EpochField()

    class Meta:
        indexes = [
            models.Index(fields=["customer_id", "unit"], name="usage_grant_owner"),
            models.Index(fields=["expires_at"], condition=Q(remaining__gt=0), name="usage_grant_expiry"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(remaining__gte=0), name="usage_grant_remaining"),
            models.CheckConstraint(
                condition=Q(clawed__gte=0, clawed__lte=F("amount")), name="usage_grant_clawed"
            ),
            models.CheckConstraint(condition=Q(remaining__lte=F("amount")), name="usage_grant_amount"),
        ]

    def __str__(self) -> str:
        return f"grant {self.pk}"


class Balance(models.Model):
    """Projection per customer and unit; its row is the lock of everything that is theirs.

    ``spendable`` sums the grants, ``held`` the open leases, ``debt`` and
    ``overage`` are what is owed.
    """

    customer_id = models.BigIntegerField()
    unit = models.CharField(max_length=40)
    spendable = models.BigIntegerField(default=0, db_default=0)
    held = models.BigIntegerField(default=0, db_default=0)
    debt = models.BigIntegerField(default=0, db_default=0)
    overage = models.BigIntegerField(default=0, db_default=0)
    version = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer_id", "unit"], name="usage_balance_once"),
            models.CheckConstraint(condition=Q(spendable__gte=0), name="usage_balance_spendable"),
            models.CheckConstraint(condition=Q(held__gte=0), name="usage_balance_held"),
            models.CheckConstraint(condition=Q(debt__gte=0, overage__gte=0), name="usage_balance_owed"),
        ]

    def __str__(self) -> str:
        return f"balance of customer {self.customer_id} in {self.unit}"


class Txn(models.Model):
    """One movement of units. ``key`` makes it happen once; its entries sum to zero."""

    key = models.CharField(max_length=160, unique=True)
    kind = models.CharField(max_length=20)
    ref = models.CharField(max_length=80, default="", db_default="")
    booked_at = EpochField()

    def __str__(self) -> str:
        return self.key


class Entry(models.Model):
    """One leg of a transaction; accounts are those of ``core.ledger``."""

    txn = models.ForeignKey(Txn, on_delete=models.PROTECT, related_name="entries", db_constraint=False)
    customer_id = models.BigIntegerField()
    account = models.CharField(max_length=60)
    unit = models.CharField(max_length=40)
    amount = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["customer_id", "unit", "account"], name="usage_entry_account")]

    def __str__(self) -> str:
        return f"{self.amount} on {self.account}"


class Lease(models.Model):
    """A slice of a balance, lent to a gate. ``sources`` is JSON [[grant, micro], …] in draw order."""

    id = models.CharField(max_length=36, primary_key=True)
    gate_id = models.CharField(max_length=60)
    customer_id = models.BigIntegerField()
    unit = models.CharField(max_length=40)
    amount = models.BigIntegerField()
    settled = models.BigIntegerField(default=0, db_default=0)
    state = models.CharField(max_length=12, default=states.LEASE.initial)
    sources = models.TextField()
    drawn_at = EpochField()
    expires_at = EpochField()

    class Meta:
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(state="open"), name="usage_lease_open"),
            models.Index(fields=["customer_id", "unit"], condition=Q(state="open"), name="usage_lease_owner"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(settled__gte=0, settled__lte=F("amount")), name="usage_lease_settled"
            ),
        ]

    def __str__(self) -> str:
        return f"lease {self.pk}"


class Admission(models.Model):
    """A call that a gate let in and whose end the book has not seen yet."""

    request_id = models.CharField(max_length=40, primary_key=True)
    gate_id = models.CharField(max_length=60)
    key_id = models.BigIntegerField()
    customer_id = models.BigIntegerField()
    unit = models.CharField(max_length=40)
    route = models.CharField(max_length=80)
    method = models.CharField(max_length=8)
    parts = models.JSONField(default=list)
    sealed_address = models.BinaryField(null=True)
    admitted_at = EpochField()

    class Meta:
        indexes = [models.Index(fields=["gate_id", "admitted_at"], name="usage_admission_gate")]

    def __str__(self) -> str:
        return self.request_id


class Cursor(models.Model):
    """How far a segment of a gate's journal is in the book; moved with what was read."""

    gate_id = models.CharField(max_length=60)
    segment = models.CharField(max_length=40)
    offset = models.BigIntegerField(default=0)
    moved_at = EpochField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["gate_id", "segment"], name="usage_cursor_once")]

    def __str__(self) -> str:
        return f"{self.gate_id}/{self.segment}@{self.offset}"


class Call(models.Model):
    """One call that was accounted for. No body, no path.

    ``sealed_address`` opens with the key of the day of ``called_at`` and with nothing else
    (``core.addresses``). The table is thrown away by the day, so a request id is unique
    together with its instant: both come from the one admission.
    """

    request_id = models.CharField(max_length=40)
    gate_id = models.CharField(max_length=60)
    key_id = models.BigIntegerField()
    customer_id = models.BigIntegerField()
    route = models.CharField(max_length=80)
    method = models.CharField(max_length=8)
    status = models.IntegerField()
    outcome = models.IntegerField()
    unit = models.CharField(max_length=40)
    units = models.BigIntegerField()
    unpaid = models.BigIntegerField(default=0)
    estimated = models.BooleanField(default=False)
    model = models.CharField(max_length=120, default="")
    tokens_in = models.BigIntegerField(default=0)
    tokens_out = models.BigIntegerField(default=0)
    bytes_in = models.BigIntegerField()
    bytes_out = models.BigIntegerField()
    latency_us = models.BigIntegerField()
    sealed_address = models.BinaryField(null=True)
    called_at = EpochField()

    class Meta:
        indexes = [
            models.Index(fields=["customer_id", "called_at", "id"], name="usage_call_of_customer"),
            models.Index(fields=["called_at"], name="usage_call_time"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["request_id", "called_at"], name="usage_call_once"),
        ]

    def __str__(self) -> str:
        return self.request_id


class Day(models.Model):
    """Calls of one customer, key and route on one day, UTC, rolled up."""

    customer_id = models.BigIntegerField()
    day = models.DateField()
    key_id = models.BigIntegerField()
    route = models.CharField(max_length=80)
    unit = models.CharField(max_length=40)
    ok = models.BigIntegerField(default=0)
    client_errors = models.BigIntegerField(default=0)
    server_errors = models.BigIntegerField(default=0)
    units = models.BigIntegerField(default=0)
    bytes_out = models.BigIntegerField(default=0)
    latency_us = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer_id", "day", "key_id", "route", "unit"], name="usage_day_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} of customer {self.customer_id}"


class Alert(models.Model):
    """Something a customer is told once: half used, four fifths used, used up, ending soon.

    ``basis`` is the grant that it is about, or the newest of those it is about: a new
    grant makes room for new alerts.
    """

    customer_id = models.BigIntegerField()
    unit = models.CharField(max_length=40)
    kind = models.CharField(max_length=12)
    basis = models.BigIntegerField()
    raised_at = EpochField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer_id", "unit", "kind", "basis"], name="usage_alert_once")
        ]

    def __str__(self) -> str:
        return f"{self.kind} of customer {self.customer_id} in {self.unit}"


class CodeBatch(models.Model):
    """Redemption codes that were made together, and what each gives."""

    label = models.CharField(max_length=60, unique=True)
    unit = models.CharField(max_length=40)
    amount = models.BigIntegerField()
    priority = models.IntegerField(default=0)
    lasts_days = models.IntegerField(null=True)
    ends_at = EpochField(null=True)
    once_per_customer = models.BooleanField(default=True)
    created_at = EpochField()

    def __str__(self) -> str:
        return self.label


class Code(models.Model):
    """One redemption code; only its keyed hash is kept. Used by a conditional update, so once."""

    batch = models.ForeignKey(CodeBatch, on_delete=models.PROTECT, related_name="codes")
    digest = models.BinaryField(max_length=16, unique=True)
    customer_id = models.BigIntegerField(null=True)
    redeemed_at = EpochField(null=True)
    cancelled_at = EpochField(null=True)

    class Meta:
        indexes = [models.Index(fields=["customer_id"], name="usage_code_owner")]

    def __str__(self) -> str:
        return f"code {self.pk}"


class Stray(models.Model):
    """A record or a segment that could not be booked: an operator looks at it, nothing waits for it."""

    gate_id = models.CharField(max_length=60)
    segment = models.CharField(max_length=40)
    position = models.BigIntegerField()
    reason = models.CharField(max_length=60)
    seen_at = EpochField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["gate_id", "segment", "position", "reason"], name="usage_stray_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.reason} in {self.gate_id}/{self.segment}"
