"""Whether a message may leave, and which fields it carries: the rules of the egress door.

Fields are named as they travel: ``line_items[0][price_data][currency]=eur`` and the JSON
``{"line_items": [{"price_data": {"currency": "eur"}}]}`` both name
``line_items.price_data.currency``. Values are never looked at beyond that.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qsl

_INDEX = re.compile(r"^\d*$")


@dataclass(frozen=True, slots=True)
class Processor:
    """A recipient of the register, as far as the door needs it.

    ``fields`` are names, or a prefix with ``.*`` for all below it.
    """

    name: str
    hosts: frozenset[str]
    fields: frozenset[str]
    categories: tuple[str, ...]
    purposes: frozenset[str]
    contract_until: dt.date | None = None
    transfer_until: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What is about to leave: names only."""

    processor: str
    purpose: str
    host: str
    fields: frozenset[str]
    size: int
    encrypted: bool = True


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message may not leave: a word, and the names it is about."""

    reason: str
    names: tuple[str, ...] = ()


def judge(register: dict[str, Processor], message: Message, today: dt.date) -> Refusal | None:
    """None if the message may leave. The first rule that is broken is the reason."""
    processor = register.get(message.processor)
    if processor is None:
        return Refusal("unknown", (message.processor,))
    for reason, until in (
        ("contract", processor.contract_until),
        ("transfer", processor.transfer_until),
    ):
        if until is not None and until < today:
            return Refusal(reason, (until.isoformat(),))
    if message.host not in processor.hosts:
        return Refusal("host", (message.host,))
    if not message.encrypted and not is_local(message.host):
        return Refusal("clear", (message.host,))
    if message.purpose not in processor.purposes:
        return Refusal("purpose", (message.purpose,))
    beyond = sorted(name for name in message.fields if not _allowed(name, processor.fields))
    return Refusal("field", tuple(beyond)) if beyond else None


def is_local(host: str) -> bool:
    """Whether a ``host`` or ``host:port`` is this machine."""
    name = host.rsplit(":", 1)[0] if host.count(":") <= 1 else host
    return name in ("localhost", "127.0.0.1", "[::1]", "::1")


def _allowed(name: str, fields: frozenset[str]) -> bool:
    if name in fields:
        return True
    steps = name.split(".")
    return any(".".join(steps[:size]) + ".*" in fields for size in range(1, len(steps)))


def field_names(content_type: str, body: bytes, query: str = "") -> frozenset[str]:
    """The names of all fields of a request: of its query, and of a form or JSON body.

    A body of another kind has one field, ``body``; an empty one none.
    """
    names = set(_form_names(query))
    kind = content_type.partition(";")[0].strip().lower()
    if not body:
        return frozenset(names)
    if kind == "application/x-www-form-urlencoded":
        names.update(_form_names(body.decode("utf-8", "replace")))
    elif kind == "application/json" or kind.endswith("+json"):
        try:
            names.update(_json_names(json.loads(body), ""))
        except ValueError:
            names.add("body")
    else:
        names.add("body")
    return frozenset(names)


def _form_names(text: str) -> Iterator[str]:
    for key, _ in parse_qsl(text, keep_blank_values=True):
        steps = [step.rstrip("]") for step in key.split("[")]
        yield ".".join(step for index, step in enumerate(steps) if index == 0 or not _INDEX.match(step))


def _json_names(value: object, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _json_names(part, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for part in value:
            yield from _json_names(part, path)
    else:
        yield path or "body"
