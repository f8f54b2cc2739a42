"""The egress door: everything that leaves this installation leaves here, or not at all.

    with egress.about(subject=owner_id):
        egress.session("stripe", "order").post(url, data=form)

A message is judged by the processor register (hosts, fields, purposes, contract and
transfer tool, all from the policy), by the stops that other rooms add (a restricted
person, an objection), and noted in the disclosure log: who received which fields about
whom and when, never the values. A refusal is noted too. Tests forbid clients elsewhere, and
:mod:`~tollkeeper.kit.egress_guard` refuses a socket that is opened past the door.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.db import connection
from django.db.models import Count, Max, Min
from django.utils import timezone
from requests.adapters import HTTPAdapter

from tollkeeper.core.egress import Message, Processor, Refusal, field_names, judge
from tollkeeper.kit import egress_guard
from tollkeeper.kit.trail.models import Disclosure

Register = Callable[[], dict[str, Processor]]
Stop = Callable[[str, str, uuid.UUID | None], str]
TIMEOUT_S = 20.0

_subject: ContextVar[uuid.UUID | None] = ContextVar("egress_subject", default=None)
_purpose: ContextVar[str] = ContextVar("egress_purpose", default="")
_registers: list[Register] = []
_stops: list[Stop] = []


class Refused(Exception):
    """A message that may not leave. ``reason`` is a word of :func:`core.egress.judge` or of a stop."""

    def __init__(self, processor: str, refusal: Refusal) -> None:
        named = f" ({', '.join(refusal.names)})" if refusal.names else ""
        super().__init__(f"nothing may leave to {processor!r}: {refusal.reason}{named}")
        self.processor, self.reason, self.names = processor, refusal.reason, refusal.names


class InsideTransaction(Exception):
    """A network call inside a transaction: a step never spans one."""


def use_register(source: Register) -> None:
    """Name the source of the processor register; ``privacy`` gives the policy in force."""
    _registers[:] = [source]


def add_stop(stop: Stop) -> None:
    """Add a rule: ``stop(processor, purpose, subject)`` answers a word that refuses, or an empty text."""
    if stop not in _stops:
        _stops.append(stop)


@contextmanager
def about(subject: uuid.UUID | None = None, purpose: str = "") -> Iterator[None]:
    """Say whom the messages inside concern, and what for, so that the log can tell them."""
    tokens = (_subject.set(subject or _subject.get()), _purpose.set(purpose or _purpose.get()))
    try:
        yield
    finally:
        _subject.reset(tokens[0])
        _purpose.reset(tokens[1])


def pass_message(
    processor: str,
    purpose: str,
    *,
    host: str,
    fields: frozenset[str],
    size: int,
    encrypted: bool = True,
    own: Processor | None = None,
) -> None:
    """Judge a message and note it; raises :class:`Refused`, having noted that too.

    ``own`` is the entry of a receiver that the person named; see ``kit.egress_pinned``.
    """
    _outside_transaction()
    register = {own.name: own} if own else _registers[0]() if _registers else {}
    subject, purpose = _subject.get(), _purpose.get() or purpose
    message = Message(processor, purpose, host, fields, size, encrypted)
    refusal = judge(_with_stand_ins(register), message, timezone.now().date())
    if refusal is None:
        word = next(filter(None, (stop(processor, purpose, subject) for stop in _stops)), "")
        refusal = Refusal(word) if word else None
    known = register.get(processor)
    Disclosure.objects.create(
        at=timezone.now(),
        processor=processor,
        purpose=purpose,
        subject=subject,
        fields=",".join(sorted(fields))[:1000],
        categories=",".join(known.categories)[:600] if known and fields else "",
        size=size,
        outcome="sent" if refusal is None else refusal.reason[:20],
    )
    if refusal is not None:
        raise Refused(processor, refusal)


def note_disclosure(
    processor: str,
    purpose: str,
    subject: uuid.UUID,
    *,
    at: dt.datetime,
    fields: Iterable[str],
    categories: Iterable[str],
) -> None:
    """Note what a recipient got by another way than this door, such as a file that was handed over."""
    Disclosure.objects.create(
        at=at,
        processor=processor,
        purpose=purpose,
        subject=subject,
        fields=",".join(sorted(fields))[:1000],
        categories=",".join(sorted(categories))[:600],
        size=0,
        outcome="sent",
    )


def stopped(processor: str, purpose: str, subject: uuid.UUID | None) -> str:
    """The word of the stop that refuses a message before it is written; empty if none does."""
    return next(filter(None, (stop(processor, purpose, subject) for stop in _stops)), "")


def _with_stand_ins(register: dict[str, Processor]) -> dict[str, Processor]:
    """The register with the addresses that stand in for a processor; empty where money is real."""
    stand_ins: Mapping[str, frozenset[str]] = getattr(settings, "EGRESS_STAND_INS", {})
    made = dict(register)
    for name, hosts in stand_ins.items():
        if name in made:
            made[name] = replace(made[name], hosts=made[name].hosts | hosts)
    return made


def _outside_transaction() -> None:
    blocks = connection.atomic_blocks
    if connection.in_atomic_block and not (blocks and getattr(blocks[-1], "_from_testcase", False)):
        raise InsideTransaction("a message was about to leave inside a transaction")


class _Door(HTTPAdapter):
    """Judges every request, redirects included, just before it would leave."""

    def __init__(self, processor: str, purpose: str) -> None:
        super().__init__()
        self.processor, self.purpose = processor, purpose

    def send(self, request: requests.PreparedRequest, **kwargs: object) -> requests.Response:  # type: ignore[override]
        url = urlsplit(request.url or "")
        body = request.body or b""
        raw = (
            body.encode() if isinstance(body, str) else bytes(body) if isinstance(body, bytes) else b"stream"
        )
        pass_message(
            self.processor,
            self.purpose,
            host=url.netloc.rpartition("@")[2].lower(),
            fields=field_names(str(request.headers.get("Content-Type", "")), raw, url.query),
            size=len(raw),
            encrypted=url.scheme == "https",
        )
        kwargs["timeout"] = kwargs.get("timeout") or TIMEOUT_S
        with egress_guard.opened():
            return super().send(request, **kwargs)  # type: ignore[arg-type]


def session(processor: str, purpose: str) -> requests.Session:
    """An HTTP client that reaches one processor for one purpose. Follows no redirect by itself,
    reads no proxy or password from the environment, and keeps no cookie between requests."""
    made = requests.Session()
    made.trust_env = False
    made.max_redirects = 0
    made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    door = _Door(processor, purpose)
    made.mount("https://", door)
    made.mount("http://", door)
    return made


# ---- reads


@dataclass(frozen=True, slots=True)
class DisclosureRow:
    """One line of the log, as a person or an operator sees it."""

    at: dt.datetime
    processor: str
    purpose: str
    fields: tuple[str, ...]
    categories: tuple[str, ...]
    size: int
    outcome: str


def _row(row: Disclosure) -> DisclosureRow:
    return DisclosureRow(
        row.at,
        row.processor,
        row.purpose,
        tuple(filter(None, row.fields.split(","))),
        tuple(filter(None, row.categories.split(","))),
        row.size,
        row.outcome,
    )


def disclosures_of(subject: uuid.UUID, limit: int = 200) -> list[DisclosureRow]:
    """Who received what about a person, newest first; refusals are left out."""
    rows = Disclosure.objects.filter(subject=subject, outcome="sent").order_by("-at", "-pk")[:limit]
    return [_row(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Received:
    """What one recipient got about a person for one purpose, all messages together."""

    processor: str
    purpose: str
    messages: int
    first_at: dt.datetime
    last_at: dt.datetime
    fields: tuple[str, ...]


def received_about(subject: uuid.UUID) -> list[Received]:
    """Who received what about a person, every message counted, the last recipient first."""
    rows = (
        Disclosure.objects.filter(subject=subject, outcome="sent")
        .order_by()
        .values_list("processor", "purpose", "fields")
        .annotate(messages=Count("pk"), first=Min("at"), last=Max("at"))
    )
    found: dict[tuple[str, str], Received] = {}
    for processor, purpose, fields, messages, first, last in rows:
        names = set(filter(None, fields.split(",")))
        if (old := found.get((processor, purpose))) is not None:
            messages, first, last = messages + old.messages, min(first, old.first_at), max(last, old.last_at)
            names |= set(old.fields)
        found[processor, purpose] = Received(processor, purpose, messages, first, last, tuple(sorted(names)))
    return sorted(found.values(), key=lambda one: one.last_at, reverse=True)


def counts(since: dt.datetime) -> dict[tuple[str, str], int]:
    """``(processor, outcome)`` → messages since then."""
    found: dict[tuple[str, str], int] = {}
    for name, outcome in Disclosure.objects.filter(at__gte=since).values_list("processor", "outcome"):
        found[(name, outcome)] = found.get((name, outcome), 0) + 1
    return found
