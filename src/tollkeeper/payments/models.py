"""Attempts, what providers told us, money on its way back, and the documents about it.

Rows hold ids, amounts and states: no payload of a provider, no name, no card.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from tollkeeper.kit.sealed import SealedTextField


class Attempt(models.Model):
    """One try to collect the money of an order. Committed before the provider is asked.

    ``generation`` counts the idempotency keys used; a stored failure at the provider is left
    behind by taking the next one after a look-up. ``state`` per ATTEMPT. ``warning`` is ``open`` when
    the card's bank takes the payment for fraud, and ``trusted`` when an operator does not.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey("sales.Order", on_delete=models.PROTECT, related_name="attempts")
    provider = models.CharField(max_length=32)
    state = models.CharField(max_length=12, default="created")
    generation = models.PositiveSmallIntegerField(default=0)
    reference = models.CharField(max_length=255, blank=True)
    payment = models.CharField(max_length=255, blank=True)
    url = models.TextField(blank=True)
    asked_minor = models.BigIntegerField()
    amount_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    live = models.BooleanField(default=False)
    order_matches = models.BooleanField(default=True)
    decline = models.CharField(max_length=64, blank=True)
    warning = models.CharField(max_length=8, blank=True)
    error = models.CharField(max_length=64, blank=True)
    expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    checked_at = models.DateTimeField(null=True)
    succeeded_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["order"],
                condition=Q(state__in=["created", "redirected", "processing"]),
                name="one_open_attempt_per_order",
            ),
            models.UniqueConstraint(
                fields=["provider", "reference"],
                condition=~Q(reference=""),
                name="attempt_reference_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=Q(state__in=["created", "redirected", "processing"]),
                name="attempt_open",
            ),
            models.Index(fields=["provider", "payment"], name="attempt_payment"),
            models.Index(fields=["provider", "reference"], name="attempt_reference"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Payer(models.Model):
    """The opaque id under which a provider knows a customer."""

    customer = models.ForeignKey("accounts.Customer", on_delete=models.PROTECT, related_name="payers")
    provider = models.CharField(max_length=32)
    reference = models.CharField(max_length=255)
    live = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "reference"], name="payer_reference_once"),
        ]

    def __str__(self) -> str:
        return self.reference


class InboxEvent(models.Model):
    """That a provider told us something: never what it said. ``state`` per INBOX."""

    account = models.CharField(max_length=64)
    event_id = models.CharField(max_length=255)
    type = models.CharField(max_length=80)
    object_id = models.CharField(max_length=255)
    livemode = models.BooleanField()
    api_version = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField()
    sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=10, default="received")
    error = models.CharField(max_length=80, blank=True)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "livemode", "event_id"], name="event_once"),
        ]
        indexes = [
            models.Index(fields=["received_at"], name="inbox_received"),
            models.Index(fields=["received_at"], condition=~Q(state="done"), name="inbox_unfinished"),
        ]

    def __str__(self) -> str:
        return self.event_id


class Refund(models.Model):
    """Money going back. Committed before the provider is asked; ``state`` per REFUND.

    ``origin`` is ``operator``, ``system`` or ``external`` (made at the provider).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey("sales.Order", on_delete=models.PROTECT, related_name="refunds")
    attempt = models.ForeignKey(Attempt, on_delete=models.PROTECT, related_name="refunds")
    state = models.CharField(max_length=12, default="requested")
    origin = models.CharField(max_length=12)
    reason = models.CharField(max_length=32)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    reference = models.CharField(max_length=255, blank=True)
    revokes = models.BooleanField(default=False)
    error = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="refund_positive"),
            models.UniqueConstraint(
                fields=["reference"], condition=~Q(reference=""), name="refund_reference_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["created_at"],
                condition=Q(state__in=["requested", "submitted", "pending"]),
                name="refund_open",
            )
        ]

    def __str__(self) -> str:
        return str(self.id)


class Dispute(models.Model):
    """A customer's bank asks for the money back. ``state`` per DISPUTE."""

    order = models.ForeignKey("sales.Order", on_delete=models.PROTECT, related_name="disputes")
    attempt = models.ForeignKey(Attempt, on_delete=models.PROTECT, related_name="disputes")
    reference = models.CharField(max_length=255, unique=True)
    state = models.CharField(max_length=16, default="inquiry")
    reason = models.CharField(max_length=40, blank=True)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    respond_by = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.reference


CORRECTIONS = ("credit_note", "debit_note")
"""Kinds of documents that correct another one; any other is the order's own, and there is one of it."""


class Series(models.Model):
    """Where document numbers come from: locked and advanced in the issuing transaction."""

    name = models.CharField(max_length=24, unique=True)
    next_number = models.PositiveBigIntegerField(default=1)

    def __str__(self) -> str:
        return self.name


class IssuedDocumentChanged(Exception):
    """An issued document never changes; it is corrected by another one."""


class Document(models.Model):
    """A receipt, invoice, credit or debit note as it was issued: an immutable snapshot.

    ``snapshot`` is canonical JSON without a personal value, ``sha256`` its hash; ``number``
    has no gaps within ``series``. The buyer's own details, where the law wants them, live in a
    table of their own that can be shredded.
    """

    series = models.ForeignKey(Series, on_delete=models.PROTECT, related_name="documents")
    number = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=12)
    order = models.ForeignKey("sales.Order", on_delete=models.PROTECT, related_name="documents")
    refund = models.OneToOneField(Refund, null=True, on_delete=models.PROTECT, related_name="document")
    corrects = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="corrections")
    currency = models.CharField(max_length=3)
    total_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField(default=0)
    snapshot = models.TextField()
    sha256 = models.CharField(max_length=64)
    issued_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["series", "number"], name="document_number_once"),
            models.UniqueConstraint(
                fields=["order"], condition=~Q(kind__in=CORRECTIONS), name="one_invoice_per_order"
            ),
        ]
        indexes = [models.Index(fields=["issued_at"], name="document_issued")]

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise IssuedDocumentChanged(self.label)
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise IssuedDocumentChanged(self.label)

    @property
    def label(self) -> str:
        """The number as it stands on the document: ``TK-2026-000042``."""
        return f"{self.series.name}-{self.number:06d}"

    def __str__(self) -> str:
        return self.label


class Finding(models.Model):
    """Something in which our books and a provider's do not agree, until it is settled or agrees again.

    ``what`` is ``unknown_payment`` (and refund, dispute: in its books alone), ``missing_payment`` (in
    ours alone), ``amount``, or ``deaf:`` with what keeps it from telling us.
    """

    provider = models.CharField(max_length=32)
    what = models.CharField(max_length=80)
    reference = models.CharField(max_length=255, blank=True)
    amount_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3, blank=True)
    found_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "what", "reference"], name="finding_once"),
        ]

    def __str__(self) -> str:
        return f"{self.what} {self.reference}"


class Buyer(models.Model):
    """What a customer wants on invoices. Sealed under the customer's own key; optional.

    ``vat_state`` is ``none``, ``unchecked``, ``valid`` or ``invalid``: only a valid number
    moves the tax to the buyer.
    """

    customer = models.OneToOneField("accounts.Customer", on_delete=models.PROTECT, related_name="buyer")
    name = SealedTextField(subject="customer.owner_id")
    address = SealedTextField(subject="customer.owner_id")
    vat_id = SealedTextField(subject="customer.owner_id", null=True)
    country = models.CharField(max_length=2)
    vat_state = models.CharField(max_length=10, default="none")
    vat_checked_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"buyer {self.pk}"


class DocumentBuyer(models.Model):
    """The buyer as a document names it: frozen with it, sealed under the person's key, gone with them.

    What tax law wants beyond that is in :class:`VaultEntry`.
    """

    document = models.OneToOneField(Document, on_delete=models.PROTECT, related_name="buyer")
    body = SealedTextField(subject="document.order.customer.owner_id")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"buyer of document {self.document_id}"


class VaultEntry(models.Model):
    """The buyer of a document in the statutory vault, sealed under the key of its fiscal year."""

    document = models.OneToOneField(Document, on_delete=models.PROTECT, related_name="vault_entry")
    year = models.PositiveSmallIntegerField(db_index=True)
    sealed_body = models.TextField()

    def __str__(self) -> str:
        return f"vault entry of document {self.document_id}"


class Transfer(models.Model):
    """Money that came by bank. The payer's name and words stay in the bank's file.

    ``mark`` tells a line of a file again; ``order`` is None until somebody knows what it is for;
    ``returned_on`` is the day on which an operator sent it back because it paid for nothing.
    """

    order = models.ForeignKey("sales.Order", null=True, on_delete=models.PROTECT, related_name="transfers")
    mark = models.CharField(max_length=64, unique=True)
    origin = models.CharField(max_length=10)
    booked_on = models.DateField()
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    returned_on = models.DateField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(amount_minor__gt=0), name="transfer_positive")]

    def __str__(self) -> str:
        return f"transfer {self.pk}"
