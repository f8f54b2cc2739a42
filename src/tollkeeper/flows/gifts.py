"""Units given by hand, with a reason, and redemption codes: who did it stands in the trail."""

from __future__ import annotations

import datetime as dt
import uuid

from django.db import transaction
from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.kit import audit
from tollkeeper.usage import services as usage

REASONS = ("goodwill", "outage", "correction", "trial", "partner", "test")
"""Why an operator gives or takes units: words, so that no text about a person enters the books."""


class BadGift(ValueError):
    """What an operator asked for cannot be; the text is one sentence."""


@transaction.atomic
def give_units(
    operator: uuid.UUID,
    customer_id: int,
    *,
    unit: str,
    amount: int,
    reason: str,
    lasts_days: int | None = None,
    key: str,
) -> int:
    """Give a customer units; answers the grant's id.

    ``key`` is made by the form, so that sending it twice gives once. Raises :class:`BadGift`.
    """
    if reason not in REASONS:
        raise BadGift(f"the reason must be one of {', '.join(REASONS)}")
    if amount < 1:
        raise BadGift("give at least one unit")
    if lasts_days is not None and lasts_days < 1:
        raise BadGift("units last at least one day")
    ends = None if lasts_days is None else timezone.now() + dt.timedelta(days=lasts_days)
    grant_id = usage.issue_grant(
        key=f"gift:{key}",
        customer_id=customer_id,
        unit=unit,
        amount=amount,
        expires_at=ends,
        source=f"gift:{reason}",
    )
    _record(operator, "grant.given", customer_id, grant_id, reason)
    return grant_id


@transaction.atomic
def take_units(
    operator: uuid.UUID, customer_id: int, *, grant_id: int, amount: int | None, reason: str, key: str
) -> int:
    """Take units of a grant back (None: all that is left of it); answers how many micro-units.

    Raises :class:`BadGift`; never takes what was spent, so nobody comes to owe.
    """
    if reason not in REASONS:
        raise BadGift(f"the reason must be one of {', '.join(REASONS)}")
    left = usage.left_of(grant_id, customer_id)
    if left is None:
        raise BadGift("this customer has no such grant")
    part = left if amount is None else min(amount, left)
    taken = usage.claw_back(key=f"hand:{key}", grant_id=grant_id, amount=part)
    _record(operator, "grant.taken", customer_id, grant_id, reason)
    return taken


@transaction.atomic
def redeem(customer_id: int, code: str) -> int:
    """Use a redemption code; answers the grant's id. Raises ``usage.services.BadCode``."""
    grant_id = usage.redeem(customer_id, code)
    subject = accounts.get_customer(customer_id).owner_id
    audit.record(
        "code.redeemed", actor=audit.person(subject), object=f"usage.Grant:{grant_id}", subject=subject
    )
    return grant_id


def _record(operator: uuid.UUID, verb: str, customer_id: int, grant_id: int, reason: str) -> None:
    subject = accounts.get_customer(customer_id).owner_id
    audit.record(
        verb,
        actor=audit.person(operator),
        object=f"usage.Grant:{grant_id}",
        subject=subject,
        note=reason,
    )
