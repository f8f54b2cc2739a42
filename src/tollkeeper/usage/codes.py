"""Redemption codes: made in batches, kept as keyed hashes, used once."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tollkeeper.usage.grants import issue_grant
from tollkeeper.usage.models import Code, CodeBatch

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: no I, L, O, U; they are read as what they look like."""
_LOOKS_LIKE = str.maketrans({"I": "1", "L": "1", "O": "0", "U": "V"})
_LENGTH = 16
MOST = 10_000
"""Codes in one batch."""


class BadCode(Exception):
    """A code cannot be used; ``code`` is ``unknown``, ``used``, ``over`` or ``only_once``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def make_codes(
    *,
    label: str,
    count: int,
    unit: str,
    amount: int,
    lasts_days: int | None = None,
    ends_at: dt.datetime | None = None,
    once_per_customer: bool = True,
) -> list[str]:
    """Make a batch; answers the codes, which stand nowhere else.

    ``amount`` is micro-units of ``unit`` for each; ``ends_at`` is until when they can be
    used. Raises ``ValueError`` for a taken label, nothing to give, or too many.
    """
    if not 1 <= count <= MOST:
        raise ValueError(f"a batch has from 1 to {MOST} codes, not {count}")
    if amount < 1 or (lasts_days is not None and lasts_days < 1):
        raise ValueError("a code gives at least one micro-unit for at least one day")
    with transaction.atomic():
        batch, made = CodeBatch.objects.get_or_create(
            label=label,
            defaults={
                "unit": unit,
                "amount": amount,
                "lasts_days": lasts_days,
                "ends_at": ends_at,
                "once_per_customer": once_per_customer,
                "created_at": timezone.now(),
            },
        )
        if not made:
            raise ValueError(f"there is a batch {label!r} already")
        texts = [_mint() for _ in range(count)]
        rows = [Code(batch=batch, digest=_digest(text)) for text in texts]
        Code.objects.bulk_create(rows, batch_size=500)
    return texts


def _mint() -> str:
    text = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return "-".join(text[at : at + 4] for at in range(0, _LENGTH, 4))


def tidy(text: str) -> str:
    """A code as typed by a person, in the one form that is hashed."""
    plain = "".join(char for char in text.upper() if char.isalnum())
    return plain.translate(_LOOKS_LIKE)


def _digest(text: str) -> bytes:
    key, word = settings.KEY_PEPPER, b"redeem"
    return hashlib.blake2b(tidy(text).encode(), digest_size=16, key=key, person=word).digest()


@transaction.atomic
def redeem(customer_id: int, text: str) -> int:
    """Use a code for a customer; answers the id of the grant it gave.

    The code is marked as used by one conditional update in the transaction that
    issues the grant: of any number who try at once, one succeeds. Raises :class:`BadCode`.
    """
    now = timezone.now()
    code = Code.objects.select_related("batch").filter(digest=_digest(text)).first()
    if code is None or code.cancelled_at is not None:
        raise BadCode("unknown")
    batch = code.batch
    if batch.ends_at is not None and batch.ends_at <= now:
        raise BadCode("over")
    if code.redeemed_at is not None:
        raise BadCode("used")
    CodeBatch.objects.select_for_update().get(pk=batch.pk)
    if batch.once_per_customer and Code.objects.filter(batch=batch, customer_id=customer_id).exists():
        raise BadCode("only_once")
    free = Code.objects.filter(pk=code.pk, redeemed_at__isnull=True, cancelled_at__isnull=True)
    if not free.update(customer_id=customer_id, redeemed_at=now):
        raise BadCode("used")
    ends = None if batch.lasts_days is None else now + dt.timedelta(days=batch.lasts_days)
    return issue_grant(
        key=f"code:{code.pk}",
        customer_id=customer_id,
        unit=batch.unit,
        amount=batch.amount,
        priority=batch.priority,
        effective_at=now,
        expires_at=ends,
        source=f"code:{batch.pk}",
    )


@transaction.atomic
def cancel_batch(label: str) -> int:
    """Make the codes of a batch that were not used yet useless; answers how many."""
    unused = Code.objects.filter(batch__label=label, redeemed_at__isnull=True, cancelled_at__isnull=True)
    return unused.update(cancelled_at=timezone.now())
