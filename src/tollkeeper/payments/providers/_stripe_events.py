"""Events of Stripe at the door: signature, age, form. Pure; what fails is told apart by name."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from tollkeeper.payments.providers import BadEvent, Hint

TOLERANCE_S = 300
"""How old, or how far ahead, the signature of an event may be. Stripe's SDK looks at one side only."""

MAX_SIGNATURES = 16


def read_event(body: bytes, signature: str, now: dt.datetime, secrets: tuple[str, ...], account: str) -> Hint:
    """Verify with any of ``secrets`` (two while one is being replaced); raises :class:`BadEvent`."""
    stamp, given = _parts(signature)
    if abs(int(now.timestamp()) - stamp) > TOLERANCE_S:
        raise BadEvent("the signature is too old or from the future")
    signed = str(stamp).encode() + b"." + body
    wanted = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets if secret]
    # every pair is compared, so that the time taken tells nothing
    matches = [hmac.compare_digest(mine, theirs) for mine in wanted for theirs in given]
    if not any(matches):
        raise BadEvent("the signature does not match")
    return _hint(body, account)


def _parts(signature: str) -> tuple[int, list[str]]:
    stamps, given = [], []
    for part in signature.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t" and value.isascii() and value.isdigit() and len(value) <= 12:
            stamps.append(int(value))
        elif name == "v1" and value.isascii():
            given.append(value)
    if len(stamps) != 1 or not 1 <= len(given) <= MAX_SIGNATURES:
        raise BadEvent("the signature header is missing or malformed")
    return stamps[0], given


def _hint(body: bytes, account: str) -> Hint:
    try:
        event = json.loads(body.decode("utf-8"))
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise BadEvent("the body is no JSON in UTF-8") from None
    thing = _mapping(_mapping(_mapping(event).get("data")).get("object"))
    created = event.get("created")
    if isinstance(created, bool) or not isinstance(created, int) or not 0 <= created < 2**33:
        raise BadEvent("the event has no time")
    if not isinstance(event.get("livemode"), bool):
        raise BadEvent("the event does not say whether it is live")
    return Hint(
        account=account,
        event_id=_text(event, "id", 255),
        type=_text(event, "type", 80),
        object_id=_text(thing, "id", 255),
        livemode=event["livemode"],
        api_version=str(event.get("api_version") or "")[:64],
        created_at=dt.datetime.fromtimestamp(created, dt.UTC),
        sha256=hashlib.sha256(body).hexdigest(),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadEvent("the body is no event")
    return value


def _text(row: Mapping[str, Any], name: str, longest: int) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value.isascii() or not 1 <= len(value) <= longest:
        raise BadEvent(f"the event has no usable {name}")
    return value
