"""Keys that were found where everybody can read: checked, revoked, their owners told.

Takes the form in which GitHub's secret scanning reports to partners: a list of
``{"token", "type", "url", "source"}``, signed with ECDSA over the body. A report that is not signed
by a reporter we know changes nothing, so that nobody can stop keys by guessing: but a
key that really leaked is in the hands of whoever reports it, and is revoked. A key at a
relay is known by a keyed hash, too; it is replaced.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.db import transaction

from tollkeeper.accounts import queries as accounts
from tollkeeper.core.keys import digest, well_formed
from tollkeeper.delivery import queries as delivery_queries
from tollkeeper.delivery import services as delivery
from tollkeeper.flows import relaying
from tollkeeper.kit import audit, mail
from tollkeeper.kit.jobs import Context, enqueue, job
from tollkeeper.kit.purposes import serving

MOST_TOKENS = 500


class BadReport(ValueError):
    """A report that is not signed, not whole or too long. ``status`` is what to answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Token(msgspec.Struct, frozen=True):
    """One finding. Where it was found is not kept."""

    token: str
    type: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """``real`` says whether it was a key of ours; ``revoked`` whether this report stopped it."""

    token: str
    type: str
    real: bool
    revoked: bool


def read_report(body: bytes, key_id: str, signature: str, known: Mapping[str, str]) -> tuple[Token, ...]:
    """Verify and read a report; ``known`` is key id → PEM of the reporters' public keys.

    Raises :class:`BadReport` with 401 for a signature that does not hold, 400 for a
    body that is no list of findings, 413 for too many.
    """
    pem = known.get(key_id)
    if pem is None:
        raise BadReport(401, "the signing key is not known")
    try:
        public = serialization.load_pem_public_key(pem.encode())
        assert isinstance(public, ec.EllipticCurvePublicKey)
        public.verify(base64.b64decode(signature, validate=True), body, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError, AssertionError):
        raise BadReport(401, "the signature does not hold") from None
    try:
        found = msgspec.json.decode(body, type=tuple[Token, ...])
    except msgspec.DecodeError:
        raise BadReport(400, "the body is no list of findings") from None
    if len(found) > MOST_TOKENS:
        raise BadReport(413, f"at most {MOST_TOKENS} findings at once")
    return found


def take_report(found: Sequence[Token]) -> list[Verdict]:
    """Revoke what is a key of ours; each in its own transaction, so that one cannot keep back another."""
    return [_judge(one) for one in found]


@transaction.atomic
def _judge(one: Token) -> Verdict:
    raw = one.token.encode()
    if not well_formed(raw):
        return _judge_relayed(one)
    key = delivery_queries.find_by_digest(digest(raw, settings.KEY_PEPPER))
    if key is None:
        return Verdict(one.token, one.type, real=False, revoked=False)
    owner = delivery_queries.owner_of_key(key.id)
    assert owner is not None
    revoked = delivery.revoke_key(key.id, owner)
    if revoked:
        subject = accounts.get_customer(owner).owner_id
        audit.record("key.leaked", object=f"delivery.Key:{key.id}", subject=subject)
        enqueue("mail_leak", f"mail:leak:{key.id}", key_id=key.id)
    return Verdict(one.token, one.type, real=True, revoked=revoked)


def _judge_relayed(one: Token) -> Verdict:
    row = delivery_queries.find_by_secret(digest(one.token.encode(), settings.KEY_PEPPER))
    if row is None:
        return Verdict(one.token, one.type, real=False, revoked=False)
    replaced = relaying.ask_for_replacement(row.id)
    if replaced:
        subject = accounts.get_customer(row.customer_id).owner_id
        audit.record("key.leaked", object=f"delivery.Delivery:{row.id}", subject=subject)
        enqueue("mail_relay_leak", f"mail:leak:{row.id}:{row.handle[:40]}", delivery_id=row.id)
    return Verdict(one.token, one.type, real=True, revoked=replaced)


@job("mail_relay_leak", purpose="notice")
def mail_relay_leak(context: Context, delivery_id: int) -> None:
    """Tell the owner of a key at a relay that it was found in public and is being replaced."""
    row = delivery_queries.get_delivery(delivery_id)
    context.call("send", _write_to, row.customer_id, row.plan, "sk-…")


@job("mail_leak", purpose="notice")
def mail_leak(context: Context, key_id: int) -> None:
    """Tell the owner of a key that it was found in public and stopped."""
    context.call("send", _send, key_id)


def _send(key_id: int) -> str:
    customer_id = delivery_queries.owner_of_key(key_id)
    if customer_id is None:
        return "nobody"
    with serving("security"):  # which key it was is told to protect its owner
        key = delivery_queries.find_key(key_id, customer_id)
    return _write_to(customer_id, key.name if key else "", key.prefix_hint if key else "")


def _write_to(customer_id: int, name: str, hint: str) -> str:
    address = accounts.email_for(customer_id)
    if address is None:
        return "nobody"
    owner = accounts.get_customer(customer_id).owner
    values = {"name": name, "hint": hint, "link": f"{settings.PUBLIC_URL}/console/keys/"}
    mail.send("key_leaked", address, values, language=owner.language if owner else "en")
    return "sent"
