"""Requests that authorised agents make for people, by the Data Rights Protocol 1.0.

An agent is known by the shop's ``agents.toml``::

    business_id = "TWTAPI"

    [agents.EXAMPLE_AGENT]
    name = "Example Agent Inc."
    verify_key = "<Ed25519: base 64, as directories of agents list it, or 64 hex digits>"

What an agent may do is ask. The person confirms the permission to us, by a link that only
they receive, before anything is revealed or deleted, and the answer goes to them alone. Opting
out needs no such word (11 CCR §7026(j)).
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hmac
import json
import tomllib
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tollkeeper.core import drp
from tollkeeper.core.drp import BadMessage
from tollkeeper.core.refusal import Refused
from tollkeeper.core.webhooks import BadAddress, read_address
from tollkeeper.flows import subject_request
from tollkeeper.kit import egress, egress_pinned, signing
from tollkeeper.kit.jobs import Context, enqueue, job, schedule
from tollkeeper.privacy import answering, mandates, requests

MANDATE_DAYS = 90
"""A permission lasts as long as its request can: 45 days, and 45 more."""
_SIGNATURE, _KEY = 64, 32
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent of the register."""

    id: str
    name: str
    verify_key: str
    """Hex."""


@dataclass(frozen=True, slots=True)
class Register:
    """Who may ask for people; empty where the shop has no ``agents.toml``."""

    business_id: str
    agents: dict[str, Agent]


class BadRegister(Exception):
    """A register that cannot be used; one sentence."""


def register() -> Register:
    """The shop's register of agents, read anew each time; raises :class:`BadRegister`."""
    path = settings.SHOP / "agents.toml"
    try:
        tree: dict[str, Any] = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return Register("", {})
    except (OSError, ValueError) as error:
        raise BadRegister(f"{path} cannot be read: {error}") from None
    agents = {}
    for name, one in tree.get("agents", {}).items():
        key = _read_key(str(one.get("verify_key", ""))) if isinstance(one, dict) else b""
        if len(key) != _KEY:
            raise BadRegister(
                f"{path}: agents.{name}.verify_key must be the 32 bytes of an Ed25519 key in base 64 or hex"
            )
        agents[name] = Agent(name, str(one.get("name", name)), key.hex())
    return Register(str(tree.get("business_id", "")), agents)


def _read_key(text: str) -> bytes:
    """The bytes of a key, however it is written; nothing if it is not one."""
    try:
        return bytes.fromhex(text) if len(text) == 2 * _KEY else base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def token_of(agent: Agent) -> str:
    """The bearer token of an agent: made of its key, so that it ends with it; nothing is stored."""
    return hmac.digest(settings.KEY_PEPPER, f"drp|{agent.id}|{agent.verify_key}".encode(), "sha256").hex()


def find_agent(token: str) -> Agent | None:
    """Whose token it is."""
    return next(
        (
            one
            for one in register().agents.values()
            if hmac.compare_digest(token_of(one).encode(), token.encode())
        ),
        None,
    )


def open_message(body: bytes, agent: Agent | None) -> bytes:
    """The JSON inside a signed message (signature, then message, in base 64); raises :class:`BadMessage`."""
    if agent is None:
        raise BadMessage("no such agent", 403)
    try:
        raw = base64.b64decode(body.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise BadMessage("the body is not base 64") from None
    signature, message = raw[:_SIGNATURE], raw[_SIGNATURE:]
    if not message or not signing.check(message, signature.hex(), agent.verify_key):
        raise BadMessage("the message was not signed by this agent", 403)
    return message


def set_up(agent_id: str, body: bytes) -> str:
    """The token for an agent who proved to hold its key (2.05); raises :class:`BadMessage`."""
    known = register()
    agent = known.agents.get(agent_id)
    drp.read_head(open_message(body, agent), agent_id, known.business_id, timezone.now())
    assert agent is not None
    return token_of(agent)


def exercise(agent: Agent, body: bytes) -> dict[str, str]:
    """Take an agent's request in (2.01); its status. Raises :class:`BadMessage`.

    The same message again is the same request.
    """
    message = open_message(body, agent)
    asked = drp.read_exercise(drp.read_head(message, agent.id, register().business_id, timezone.now()))
    if asked.callback:
        try:
            read_address(asked.callback, local=not settings.ENV.live)
        except BadAddress:
            raise BadMessage("status_callback is not an address of the open internet") from None
    number = mandates.find_by_reference(agent.id, _digest(message))
    if number is None:
        try:
            number = _take_in(agent, asked, _digest(message))
        except Refused as no:
            raise BadMessage(str(no)) from None
    return status(agent, number)


def _digest(message: bytes) -> str:
    return hmac.digest(settings.KEY_PEPPER, b"drp message|" + message, "sha256").hex()


def _take_in(agent: Agent, asked: drp.Exercise, reference: str) -> str:
    with transaction.atomic():
        number = subject_request.take_in(
            asked.kind, contact=asked.email, regime=asked.regime, channel="agent", language="en"
        )
        mandates.give(
            number,
            agent=agent.id,
            scope=(asked.kind,),
            expires_at=timezone.now() + dt.timedelta(days=MANDATE_DAYS),
            reference=reference,
            callback=asked.callback,
            own_id=asked.own_id,
        )
    return number


def status(agent: Agent, number: str) -> dict[str, str]:
    """How a request of this agent stands (2.02); raises :class:`BadMessage` for anybody else's."""
    mandate = mandates.find_mandate(number)
    if mandate is None or mandate.agent != agent.id:
        raise BadMessage("this request is not yours", 403)
    return _status(mandate)


def _status(mandate: mandates.MandateRow) -> dict[str, str]:
    number = mandate.number
    row = requests.find_request(number)
    assert row is not None
    # never the link by which the person is known to us: an agent who had it could be them
    verify = f"{settings.PUBLIC_URL}/privacy/request/mailed/"
    return drp.status_of(number, row.state, row.ground, row.received_at, row.due_on, verify, mandate.own_id)


def revoke(agent: Agent, number: str, body: bytes) -> dict[str, str]:
    """The agent takes a request back (2.04); raises :class:`BadMessage`."""
    status(agent, number)
    drp.read_revocation(open_message(body, agent), agent.id, register().business_id, timezone.now())
    try:
        with transaction.atomic():
            mandates.revoke(number)
            answering.withdraw(number)
    except Refused as no:
        raise BadMessage(str(no), 409) from None
    return status(agent, number)


@schedule("tell_agents", every_s=300, purpose="legal")
def tell_agents(context: Context) -> None:
    """Agents who named a callback are told of every new status (2.03)."""
    for mandate in mandates.to_be_told(timezone.now()):
        now = _status(mandate)
        word = f"{now['status']}/{now.get('reason', '')}"
        if word != mandate.told_state:
            enqueue(
                "tell_agent",
                f"agent:{mandate.number}:{word}:{now.get('expected_by', '')}",
                number=mandate.number,
            )


@job("tell_agent", purpose="legal", attempts=8)
def tell_agent(context: Context, number: str) -> None:
    """Tell one agent how a request stands now. Raises until somebody answers 200."""
    mandate = mandates.find_mandate(number)
    if mandate is None or not mandate.callback:
        return
    now = _status(mandate)
    with egress.about(subject=requests.find_subject(number)):
        code = egress_pinned.post(
            mandate.callback,
            json.dumps(now).encode(),
            {},
            purpose="legal",
            categories=("requests",),
            local=not settings.ENV.live,
        )
    if code != 200:
        raise egress_pinned.NoAnswer(f"status_{code}")
    mandates.note_told(number, f"{now['status']}/{now.get('reason', '')}")
