"""After a restore: what was paid since the backup is asked of the providers and brought into the book.

An order that the backup knows is reconciled as if the event had just come. Money for an
order that nobody knows any more is listed for an operator, by the provider's own ids.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tollkeeper.flows.reconcile import reconcile
from tollkeeper.kit import audit
from tollkeeper.kit.jobs import Context, enqueue, job
from tollkeeper.payments import queries as payment_queries
from tollkeeper.payments import registry
from tollkeeper.payments import services as payments
from tollkeeper.payments.providers import Asked, ProviderError, Taken
from tollkeeper.sales import queries as sales

_RESULT = "restored.json"


@dataclass(frozen=True, slots=True)
class Unknown:
    """Money for an order that the book does not know: to be given back, or entered by hand."""

    provider: str
    reference: str
    order: str
    amount_minor: int
    currency: str
    on: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at the providers found. ``unasked`` names those that did not answer."""

    since: dt.datetime
    at: dt.datetime
    brought_in: int
    unknown: tuple[Unknown, ...]
    unasked: tuple[str, ...]


def ask_for(since: dt.datetime) -> None:
    """Have the worker look for what was paid since a backup was made."""
    second = int(since.timestamp())
    with transaction.atomic():
        enqueue("find_lost_payments", f"lost:{second}:{int(timezone.now().timestamp())}", since=second)


@job("find_lost_payments", purpose="order", attempts=40)
def find_lost_payments(context: Context, since: int) -> None:
    """Look until every provider has answered."""
    found = look(dt.datetime.fromtimestamp(since, dt.UTC))
    if found.unasked:
        raise ProviderError(f"{len(found.unasked)} providers did not answer")


def look(since: dt.datetime) -> Found:
    """Ask every provider what it took since then, bring in what is ours, and keep what was found.

    Doing it again does no harm: what is in the book already is only looked at.
    """
    brought, unknown, unasked = 0, [], []
    for name in registry.names():
        try:
            rows = registry.get_provider(name).taken(since)
            for row in rows:
                if _bring_in(name, row):
                    brought += 1
                elif sales.find_order(row.order) is None:
                    unknown.append(_unknown(name, row))
        except ProviderError as error:
            if getattr(error, "code", "") != "no_api_key":  # a provider that this shop does not use
                unasked.append(name)
    found = Found(since, timezone.now(), brought, tuple(unknown), tuple(unasked))
    _keep(found)
    audit.record("payments.looked_for", note=f"brought:{brought},unknown:{len(unknown)}")
    return found


def _bring_in(provider: str, row: Taken) -> bool:
    """Reconcile the order of a payment; False if it is not in the book, or was paid there already."""
    order = sales.find_order(row.order)
    if order is None or order.captured_minor > 0:
        return False
    if payment_queries.order_of(provider, reference=row.reference) is None:
        asked = Asked(
            "", row.order, row.reference, order.total_minor, order.currency, order.live, "processing"
        )
        told = registry.get_provider(provider).fetch(asked)
        with transaction.atomic():
            payments.adopt(
                order.order_id, provider, told, asked_minor=order.total_minor, currency=order.currency,
                live=order.live, now=timezone.now(),
            )  # fmt: skip
    reconcile(order.order_id)
    return True


def _unknown(provider: str, row: Taken) -> Unknown:
    on = row.at.date().isoformat()
    return Unknown(provider, row.reference, row.order, row.amount_minor, row.currency, on)


def _path() -> Path:
    return Path(settings.ENV.home) / _RESULT


def _keep(found: Found) -> None:
    facts = {**asdict(found), "since": found.since.isoformat(), "at": found.at.isoformat()}
    part = _path().with_suffix(".part")
    part.write_text(json.dumps(facts, indent=1) + "\n")
    part.replace(_path())


def last_look() -> Found | None:
    """What the last look found; None if there was none."""
    try:
        facts = json.loads(_path().read_text())
        unknown = tuple(Unknown(**row) for row in facts["unknown"])
        since, at = (dt.datetime.fromisoformat(facts[name]) for name in ("since", "at"))
        return Found(since, at, facts["brought_in"], unknown, tuple(facts["unasked"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
