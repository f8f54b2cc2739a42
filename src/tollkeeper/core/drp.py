"""The words of the Data Rights Protocol 1.0, and what they mean here. No signature is looked at in this file.

https://github.com/datarightsprotocol/data-rights-protocol
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KINDS = {
    "sale:opt_out": "opt_out",
    "sale:opt-out": "opt_out",
    "deletion": "erase",
    "access": "know",
    "access:categories": "know",
    "access:specific": "know",
}
"""Rights action of the protocol → kind of request. ``sale:opt_in`` is not offered: nothing is sold."""
_REGIMES = {"ccpa": "ccpa", "gdpr": "gdpr", "voluntary": "gdpr", "": "gdpr"}
_VERSIONS = ("0.9", "1.0")
MOST_VALID = dt.timedelta(hours=1)
"""No message is believed for longer; the protocol advises a quarter of an hour."""
_STATES = {
    "received": ("in_progress", ""),
    "acknowledged": ("in_progress", ""),
    "extended": ("in_progress", ""),
    "verifying": ("in_progress", "need_user_verification"),
    "fulfilled": ("fulfilled", ""),
    "partly_fulfilled": ("fulfilled", ""),
    "withdrawn": ("revoked", ""),
    "lapsed": ("expired", ""),
}
_DENIALS = {
    "not_identified": "insuf_verification",
    "unfounded": "other",
    "excessive": "too_many_requests",
    "others_rights": "claim_not_covered",
    "legal_duty": "claim_not_covered",
    "legal_claims": "claim_not_covered",
    "not_our_data": "no_match",
}


_OWN_ID = re.compile(r"[A-Za-z0-9_.:-]{0,64}")
"""Names of things, not of people: nothing that could be an address is kept."""
_CLAIMS = ("agent-id", "business-id", "issued-at", "expires-at")


class BadMessage(ValueError):
    """A message that breaks the protocol; ``status`` is the HTTP status that says so.

    ``fatal`` (3.06): the same message again will fare no better.
    """

    def __init__(self, text: str, status: int = 400, *, fatal: bool = True) -> None:
        super().__init__(text)
        self.status = status
        self.fatal = fatal


@dataclass(frozen=True, slots=True)
class Exercise:
    """A right that an agent exercises for somebody. ``email`` is where that person is asked."""

    kind: str
    regime: str
    email: str
    callback: str
    own_id: str
    """The agent's own name for the request, which every status repeats."""


def read_head(raw: bytes, agent: str, business: str, now: dt.datetime) -> Mapping[str, Any]:
    """A signed message that is from this agent, for us and valid now (3.07); raises :class:`BadMessage`."""
    message = _object(raw)
    if message.get("agent-id") != agent:
        raise BadMessage("agent-id is not the agent who signed", 403)
    if message.get("business-id") != business:
        raise BadMessage("business-id is not ours", 403)
    issued, expires = _time(message, "issued-at"), _time(message, "expires-at")
    if now < issued:
        raise BadMessage("issued-at is in the future: is the agent's clock fast?", 403, fatal=False)
    if now >= expires:
        raise BadMessage("the message has expired", 403)
    if expires - issued > MOST_VALID:
        raise BadMessage("the message is valid for longer than an hour", 403)
    return message


def read_revocation(raw: bytes, agent: str, business: str, now: dt.datetime) -> None:
    """A signed wish to revoke a request (2.04); raises :class:`BadMessage`.

    Its schema has nothing but a ``reason``, and agents send it so. One that names any claim of
    :func:`read_head` is held to all of them.
    """
    if any(name in _object(raw) for name in _CLAIMS):
        read_head(raw, agent, business, now)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        message = json.loads(raw)
    except ValueError:
        raise BadMessage("the signed message is not JSON") from None
    if not isinstance(message, dict):
        raise BadMessage("the signed message is not a JSON object")
    return message


def _time(message: Mapping[str, Any], name: str) -> dt.datetime:
    try:
        value = dt.datetime.fromisoformat(str(message[name]))
    except (KeyError, ValueError):
        raise BadMessage(f"{name} must be an ISO 8601 time") from None
    return value if value.tzinfo else value.replace(tzinfo=dt.UTC)


def read_exercise(message: Mapping[str, Any]) -> Exercise:
    """What a valid message asks for; raises :class:`BadMessage`."""
    said = {name: message.get(name) or "" for name in ("exercise", "regime", "email", "status_callback")}
    if str(message.get("drp.version", "")) not in _VERSIONS:
        raise BadMessage(f"drp.version must be one of {', '.join(_VERSIONS)}")
    if not all(isinstance(value, str) for value in said.values()):
        raise BadMessage("exercise, regime, email and status_callback must be texts")
    if said["exercise"] not in KINDS:
        raise BadMessage(f"exercise must be one of {', '.join(sorted(KINDS))}")
    if said["regime"] not in _REGIMES:
        raise BadMessage(f"regime must be one of {', '.join(filter(None, _REGIMES))}")
    if "@" not in said["email"]:
        raise BadMessage("email is needed: the person is asked there, and answered there")
    own_id = message.get("agent-request-id") or ""
    if not isinstance(own_id, str) or not _OWN_ID.fullmatch(own_id):
        raise BadMessage("agent-request-id must be at most 64 letters, digits and .:_-")
    kind, regime = KINDS[said["exercise"]], _REGIMES[said["regime"]]
    return Exercise(kind, regime, said["email"], said["status_callback"], own_id)


def status_of(
    number: str,
    state: str,
    ground: str,
    received_at: dt.datetime,
    due_on: dt.date | None,
    verify_url: str,
    own_id: str = "",
) -> dict[str, str]:
    """The Exercise Status object of a request (3.03). Nothing of the person is in it."""
    status, reason = ("denied", _DENIALS.get(ground, "other")) if state == "refused" else _STATES[state]
    made = {"request_id": number, "status": status, "received_at": received_at.isoformat()}
    if own_id:
        made["agent_request_id"] = own_id
    if reason:
        made["reason"] = reason
    if reason == "need_user_verification":
        made["user_verification_url"] = verify_url
    if due_on is not None and status == "in_progress":
        made["expected_by"] = due_on.isoformat()
    if state == "extended" or status == "denied":
        made["processing_details"] = ground
    return made
