"""Verbs that write endpoints, events and posts. Each assumes the caller's transaction, or makes one."""

from __future__ import annotations

import datetime as dt
import json
import secrets
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from tollkeeper.core.webhooks import KINDS, SECRET_BYTES, read_address, secret_text, wait_s
from tollkeeper.kit.sealed import ErasedText
from tollkeeper.outbox.models import Cursor, Endpoint, Event, Post

MOST = 5
"""Endpoints of one customer."""
KEEP = dt.timedelta(days=30)
BOTH_FOR = dt.timedelta(hours=24)
"""How long a secret that was replaced goes on signing, beside the new one."""

PING = "endpoint.test"
"""The kind of a post that an endpoint's owner asks for to try it out."""
LEASE = dt.timedelta(seconds=60)


class NoEndpoint(LookupError):
    """There is no such endpoint, or it is somebody else's."""


class TooMany(Exception):
    """A customer has as many endpoints as they may."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A post that is to be sent now, opened."""

    post_id: int
    endpoint_id: int
    customer_id: int | None
    url: str
    secrets: tuple[str, ...]
    message_id: str
    kind: str
    body: bytes


@transaction.atomic
def add_endpoint(
    customer_id: int | None, owner: uuid.UUID | None, url: str, kinds: tuple[str, ...], *, local: bool = False
) -> str:
    """Tell an address from now on; answers its number.

    ``local`` lets this machine be told. Raises ``core.webhooks.BadAddress``, ``ValueError`` for
    unknown kinds and :class:`TooMany`.
    """
    read_address(url, local=local)
    if not kinds or set(kinds) - set(KINDS):
        raise ValueError("name at least one kind of events")
    if Endpoint.objects.filter(owned_by(customer_id)).count() >= MOST:
        raise TooMany
    row = Endpoint(customer_id=customer_id, case=owner or uuid.uuid4(), kinds=",".join(kinds))
    row.url, row.secret = url, secret_text(secrets.token_bytes(SECRET_BYTES))
    row.save()
    return row.number


def owned_by(customer_id: int | None) -> Q:
    """The endpoints of a customer, or the operator's own (None)."""
    return Q(customer__isnull=True) if customer_id is None else Q(customer_id=customer_id)


def _own(customer_id: int | None, number: str) -> Endpoint:
    row = Endpoint.objects.select_for_update().filter(owned_by(customer_id), number=number).first()
    if row is None:
        raise NoEndpoint(number)
    return row


@transaction.atomic
def pause_endpoint(customer_id: int | None, number: str) -> None:
    """Post nothing for now; what happens waits in order. Raises :class:`NoEndpoint`."""
    row = _own(customer_id, number)
    row.state = "paused"
    row.save(update_fields=["state"])


@transaction.atomic
def resume_endpoint(customer_id: int | None, number: str) -> None:
    """Go on where it stopped, at once. Raises :class:`NoEndpoint`."""
    row = _own(customer_id, number)
    row.state = "active"
    row.save(update_fields=["state"])
    row.posts.filter(state="waiting").update(next_at=timezone.now(), tries=0)


@transaction.atomic
def remove_endpoint(customer_id: int | None, number: str) -> None:
    """Forget an endpoint and what waits for it. Raises :class:`NoEndpoint`."""
    _own(customer_id, number).delete()


@transaction.atomic
def renew_secret(customer_id: int | None, number: str) -> None:
    """A new secret from the next post on; for a day the old one signs too. Raises :class:`NoEndpoint`."""
    row = _own(customer_id, number)
    row.old_secret, row.old_until = row.secret, timezone.now() + BOTH_FOR
    row.secret = secret_text(secrets.token_bytes(SECRET_BYTES))
    row.save(update_fields=["secret", "old_secret", "old_until"])


@transaction.atomic
def forget_old_secret(customer_id: int | None, number: str) -> None:
    """The old secret signs no more, say because it leaked. Raises :class:`NoEndpoint`."""
    row = _own(customer_id, number)
    row.old_secret, row.old_until = None, None
    row.save(update_fields=["old_secret", "old_until"])


@transaction.atomic
def replay(customer_id: int | None, number: str, since: str) -> int:
    """Post the event ``since`` and all later ones again; answers how many. Raises :class:`NoEndpoint`."""
    row = _own(customer_id, number)
    first = row.posts.filter(event__number=since).values_list("event_id", flat=True).first()
    if first is None:
        raise NoEndpoint(since)
    again = row.posts.filter(event_id__gte=first)
    return again.update(state="waiting", tries=0, error="", next_at=timezone.now())


@transaction.atomic
def send_again(customer_id: int | None, number: str, event: str) -> None:
    """Post one event again, and nothing that came after it. Raises :class:`NoEndpoint`."""
    rows = _own(customer_id, number).posts.filter(event__number=event)
    if not rows.update(state="waiting", tries=0, error="", next_at=timezone.now()):
        raise NoEndpoint(event)


@transaction.atomic
def ping(customer_id: int | None, number: str, now: dt.datetime) -> bool:
    """Post something to try an endpoint out, whatever it listens to; False if one is on its way already.

    Raises :class:`NoEndpoint`.
    """
    row = _own(customer_id, number)
    row.posts.filter(state="waiting").update(next_at=now)  # what waits goes first, and is tried at once
    if row.posts.filter(event__kind=PING, state="waiting").exists():
        return False
    body = _body(PING, {"endpoint": number}, now)
    key = f"ping:{row.pk}:{secrets.token_hex(8)}"
    event = Event.objects.create(customer_id=customer_id, key=key, kind=PING, body=body, created_at=now)
    Post.objects.create(endpoint=row, event=event, next_at=now)
    return True


def listening(customer_id: int, family: str) -> bool:
    """Whether anybody wants to hear of such a thing."""
    return bool(_listeners(customer_id, family))


def _listeners(customer_id: int, family: str) -> list[int]:
    rows = Endpoint.objects.filter(Q(customer_id=customer_id) | Q(customer_id=None))
    return [pk for pk, kinds in rows.values_list("pk", "kinds") if family in kinds.split(",")]


def announce(customer_id: int, kind: str, key: str, data: Mapping[str, Any], now: dt.datetime) -> bool:
    """Note an event for all who listen, once per ``key``, in the caller's transaction; False if nobody does.

    ``data`` holds numbers, states and amounts of ours, never anything a person typed.
    """
    wanted = _listeners(customer_id, kind.partition(".")[0])
    if not wanted:
        return False
    body = _body(kind, data, now)
    event, fresh = Event.objects.get_or_create(
        key=key, defaults={"customer_id": customer_id, "kind": kind, "body": body, "created_at": now}
    )
    if fresh:
        Post.objects.bulk_create([Post(endpoint_id=pk, event=event, next_at=now) for pk in wanted])
    return fresh


def _body(kind: str, data: Mapping[str, Any], now: dt.datetime) -> str:
    stamp = now.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"type": kind, "timestamp": stamp, "data": dict(data)}, separators=(",", ":"))


# ---- posting


TELL_AT = 3
"""After so many tries in vain, some minutes after the first, an endpoint's owner hears of it."""


def claim(now: dt.datetime, limit: int = 20, leave_out: Collection[int] = ()) -> list[int]:
    """Endpoints whose next post is due, claimed for this worker until :func:`release`.

    Those of customers in ``leave_out`` wait.
    """
    free = Endpoint.objects.filter(Q(lease_until=None) | Q(lease_until__lt=now), state="active")
    free = free.exclude(customer_id__in=list(leave_out)) if leave_out else free
    due = Post.objects.filter(state="waiting", next_at__lte=now, endpoint__in=free)
    ids = list(due.order_by("endpoint_id").values_list("endpoint_id", flat=True).distinct()[:limit])
    return [pk for pk in ids if free.filter(pk=pk).update(lease_until=now + LEASE)]


def release(endpoint_id: int) -> None:
    """Let other workers post to an endpoint again."""
    Endpoint.objects.filter(pk=endpoint_id).update(lease_until=None)


def next_parcel(endpoint_id: int, now: dt.datetime) -> Parcel | None:
    """The oldest post that waits, if it is due; None while an older one waits for its next try."""
    rows = Post.objects.select_related("endpoint", "event").filter(endpoint_id=endpoint_id, state="waiting")
    post = rows.order_by("event_id").first()
    if post is None or post.next_at > now or post.endpoint.state != "active":
        return None
    row, event = post.endpoint, post.event
    if isinstance(row.url, ErasedText):
        row.delete()
        return None
    signing = [row.secret]
    if row.old_secret and row.old_until is not None and row.old_until > now:
        signing.append(row.old_secret)
    return Parcel(
        post.pk,
        row.pk,
        row.customer_id,
        row.url,
        tuple(signing),
        event.number,
        event.kind,
        event.body.encode(),
    )


@transaction.atomic
def note_answer(parcel: Parcel, answer: int, error: str, now: dt.datetime) -> str:
    """Write down what became of a try; answers ``sent``, ``waiting``, ``failing``, or ``struggling``
    once, when its owner is to be told that nothing arrives.
    """
    mine = Post.objects.filter(pk=parcel.post_id, state="waiting")
    if 200 <= answer < 300:
        mine.update(state="sent", answer=answer, error="", tries=F("tries") + 1, sent_at=now)
        return "sent"
    tries = (mine.values_list("tries", flat=True).first() or 0) + 1
    wait = None if answer == 410 else wait_s(tries)  # 410: the receiver says that it is gone
    mine.update(
        answer=answer, error=error[:40], tries=tries, next_at=now + dt.timedelta(seconds=wait or 86_400)
    )
    if wait is None:
        Endpoint.objects.filter(pk=parcel.endpoint_id, state="active").update(state="failing")
        return "failing"
    return "struggling" if tries == TELL_AT else "waiting"


def forget_events(now: dt.datetime, limit: int = 5000) -> int:
    """Delete events that are older than anybody replays, and their posts."""
    ids = list(Event.objects.filter(created_at__lt=now - KEEP).values_list("pk", flat=True)[:limit])
    return Event.objects.filter(pk__in=ids).delete()[1].get("outbox.Event", 0)


def cursor(name: str) -> int | None:
    """How far was read; None if never."""
    return Cursor.objects.filter(pk=name).values_list("position", flat=True).first()


def move_cursor(name: str, position: int, seen: int | None) -> bool:
    """Advance from what was seen; False if another worker did."""
    if seen is None:
        return Cursor.objects.get_or_create(name=name, defaults={"position": position})[1]
    return bool(Cursor.objects.filter(pk=name, position=seen).update(position=position))
