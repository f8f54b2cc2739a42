"""Reads of endpoints and what was posted there: frozen rows."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Count, Q
from django.utils import timezone

from tollkeeper.outbox.models import Endpoint, Post
from tollkeeper.outbox.services import NoEndpoint, owned_by


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """An endpoint, opened for its owner."""

    number: str
    url: str
    secret: str
    kinds: tuple[str, ...]
    state: str
    created_at: dt.datetime
    old_until: dt.datetime | None
    waiting_count: int


@dataclass(frozen=True, slots=True)
class PostRow:
    """One event for an endpoint."""

    event: str
    kind: str
    state: str
    tries: int
    answer: int
    error: str
    created_at: dt.datetime
    next_at: dt.datetime
    sent_at: dt.datetime | None
    body: str


def list_endpoints(customer_id: int | None) -> list[EndpointRow]:
    """The endpoints of a customer, or the operator's own (None)."""
    rows = Endpoint.objects.filter(owned_by(customer_id)).order_by("pk")
    waiting = Count("posts", filter=Q(posts__state="waiting"))
    return [
        EndpointRow(
            row.number,
            row.url,
            row.secret,
            tuple(row.kinds.split(",")),
            row.state,
            row.created_at,
            row.old_until if row.old_until and row.old_until > timezone.now() else None,
            row.waiting_count,
        )
        for row in rows.annotate(waiting_count=waiting)
    ]


def get_endpoint(customer_id: int | None, number: str) -> EndpointRow:
    """An endpoint of a customer; raises ``NoEndpoint``, also for somebody else's."""
    for row in list_endpoints(customer_id):
        if row.number == number:
            return row
    raise NoEndpoint(number)


def list_posts(customer_id: int | None, number: str, limit: int = 50) -> list[PostRow]:
    """What an endpoint was or is to be told, newest first."""
    owned = Endpoint.objects.filter(owned_by(customer_id), number=number)
    rows = Post.objects.select_related("event").filter(endpoint__in=owned)
    return [
        PostRow(
            row.event.number,
            row.event.kind,
            row.state,
            row.tries,
            row.answer,
            row.error,
            row.event.created_at,
            row.next_at,
            row.sent_at,
            row.event.body,
        )
        for row in rows.order_by("-event_id")[:limit]
    ]


def owner_of(endpoint_id: int) -> tuple[int | None, str, str] | None:
    """(customer, number, state) of an endpoint; None if it is gone."""
    return Endpoint.objects.filter(pk=endpoint_id).values_list("customer_id", "number", "state").first()
