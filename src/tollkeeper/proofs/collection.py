"""What is collected: the promises of the policy's first part."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections import Counter
from typing import Any

from tollkeeper.accounts.forms import SignUp
from tollkeeper.core.addresses import Agreement
from tollkeeper.core.cards import find_cards
from tollkeeper.core.personal import Personal
from tollkeeper.kit import log_keys
from tollkeeper.proofs import census
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.planting import planted
from tollkeeper.proofs.probe import Broken, Evidence, probe, require

_ACCOUNT_TEXTS = {"password", "language", "nickname"}
"""Every text a user row may hold; the address has a table of its own."""
_FORM = {"email", "password1", "old_enough"}
_CALL_TEXTS = {"request_id", "gate_id", "route", "method", "outcome", "unit", "model"}
_EVENT = {
    "id", "account", "event_id", "type", "object_id", "livemode", "api_version", "created_at", "sha256",
    "state", "error", "received_at",
}  # fmt: skip
_ADDRESS = re.compile(r"[^@\s\"]+@[^@\s\"]+\.[a-z]{2,}", re.I)
_IP = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")
HASHED = "argon2$argon2id$v=19$m=19456,t=2,p=1$"
UNUSABLE = "!"


@probe("T-03", "G-10")
def account_columns(ctx: Context) -> Evidence:
    """The account holds what the policy names, and the form asks for no more."""
    user = census.model_of("accounts.User")
    texts = {
        field.name
        for field in user._meta.concrete_fields
        if field.get_internal_type() in ("CharField", "TextField", "EmailField", "JSONField")
    }
    require(
        texts <= _ACCOUNT_TEXTS,
        "the account has more fields than the policy names",
        extra=sorted(texts - _ACCOUNT_TEXTS),
    )
    asked = set(SignUp().fields)
    require(asked <= _FORM, "the form asks for more than the policy names", extra=sorted(asked - _FORM))
    named = {
        category: sorted(ctx.columns(category))
        for category in ("account.email", "account.password", "account.nickname")
    }
    for category, columns in named.items():
        require(bool(columns), f"no column is of the category {category}")
    return {
        "columns": named,
        "asked_at_sign_up": sorted(asked),
        "accounts": census.count("accounts.User"),
        "addresses": census.count("account.EmailAddress"),
    }


@probe("T-04")
def passwords(ctx: Context) -> Evidence:
    """Every password is an Argon2id hash; a planted one is nowhere in the tables."""
    kinds: Counter[str] = Counter()
    for value in census.raw_values("accounts.User", "password", limit=1_000_000):
        text = str(value)
        if text.startswith(HASHED):
            kinds["argon2id m=19456 t=2 p=1"] += 1
        elif text.startswith("argon2$argon2id$"):
            kinds["argon2id, older figures, renewed at the next sign-in"] += 1
        elif text.startswith(UNUSABLE):
            kinds["none: no password can open it"] += 1
        else:
            kinds["not hashed"] += 1
    require(not kinds["not hashed"], "a password is not hashed", census=dict(kinds))
    with planted() as canary:
        found = [hit for hit in canary.hits() if hit.startswith("password")]
    require(not found, "a planted password was found", hits=found)
    return {"census": dict(kinds), "planted_hits": 0}


@probe("T-05")
def nickname(ctx: Context) -> Evidence:
    """A nickname exists only where somebody gave one."""
    field: Any = census.model_of("accounts.User")._meta.get_field("nickname")
    require(field.null and not field.has_default(), "the nickname is not optional")
    require("nickname" not in SignUp().fields, "the sign-up form asks for a nickname")
    total = census.count("accounts.User")
    given = sum(1 for _ in census.raw_values("accounts.User", "nickname", limit=1_000_000))
    return {"accounts": total, "with_nickname": given, "without": total - given}


@probe("T-06", "G-13")
def call_log(ctx: Context) -> Evidence:
    """A call's record has no body, query or header; every address is sealed, to a living key only."""
    call = census.model_of("usage.Call")
    texts = {
        f.name
        for f in call._meta.concrete_fields
        if f.get_internal_type() in ("CharField", "TextField", "JSONField")
    }
    require(
        texts <= _CALL_TEXTS,
        "a call's record holds more text than it should",
        extra=sorted(texts - _CALL_TEXTS),
    )
    odd = [
        route for route in set(census.raw_values("usage.Call", "route")) if re.search(r"[/?=&@%]", str(route))
    ]
    require(not odd, "a route in the log looks like a path or query", count=len(odd))
    open_columns = [
        name
        for category in ("technical.ip", "technical.agent")
        for name, column in ctx.columns(category).items()
        if not column.sealed
    ]
    require(not open_columns, "an address or browser is stored unsealed", columns=open_columns)
    found = _texts_like(_IP, ctx, {"usage", "delivery", "sales", "payments", "accounts", "support"})
    require(not found, "something like a network address lies in the clear", columns=found)
    clear = sum(not census.is_sealed(value) for value in census.raw_values("usage.Call", "sealed_address"))
    require(clear == 0, "an address in the call log is not sealed", values=clear)
    return {
        "addresses_sealed": census.count("usage.Call", sealed_address__isnull=False),
        "sealed_and_opened_now": _self_test(ctx),
        "columns": sorted(field.name for field in call._meta.concrete_fields),
        "calls": census.count("usage.Call"),
        "routes_seen": len(set(census.raw_values("usage.Call", "route"))),
        "sealed": sorted([*ctx.columns("technical.ip"), *ctx.columns("technical.agent")]),
    }


def _self_test(ctx: Context) -> dict[str, str]:
    """Seal an address of documentation (RFC 5737) to each log's key of today, and open it: the hashes."""
    today = log_keys.day_number(ctx.today)
    made = {}
    for log in log_keys.LOGS:
        public = log_keys.find_public(log, today)
        require(public is not None, f"the log {log} has no key of today: no address is written")
        sealed = Agreement(log, today, public or b"", secrets.token_bytes(32)).seal("192.0.2.1")
        opened = log_keys.open_sealed_address(log, today, sealed)
        require(opened == "192.0.2.1", f"an address of the log {log} does not open with its key")
        made[log] = hashlib.sha256(sealed).hexdigest()[:16]
    return made


def _texts_like(pattern: re.Pattern[str], ctx: Context, apps: set[str]) -> dict[str, int]:
    """Text columns of these apps with values in which ``pattern`` occurs, and how many."""
    entries = [(label, entry) for label, entry in ctx.inventory.models.items() if label.split(".")[0] in apps]
    found = {}
    for label, name in census.text_columns(entries):
        count = sum(1 for value in census.raw_values(label, name) if pattern.search(str(value)))
        if count:
            found[f"{label}.{name}"] = count
    return found


@probe("T-07")
def from_the_provider(ctx: Context) -> Evidence:
    """Of a provider's event only its name, object and state are stored."""
    event = census.model_of("payments.InboxEvent")
    columns = {field.name for field in event._meta.concrete_fields}
    require(
        columns <= _EVENT, "an event's record holds more than the allow-list", extra=sorted(columns - _EVENT)
    )
    payments = [
        (label, entry) for label, entry in ctx.inventory.models.items() if label.startswith("payments.")
    ]
    hits: Counter[str] = Counter()
    for label, name in census.text_columns(payments):
        if label == "payments.Document":
            continue  # receipts carry what tax law asks for, the seller's own address among it
        for value in census.raw_values(label, name):
            if _ADDRESS.search(str(value)) or any(find_cards(str(value))):
                hits[f"{label}.{name}"] += 1
    require(not hits, "an address or card number came in from the provider", columns=dict(hits))
    return {
        "stored_of_an_event": sorted(columns),
        "events": census.count("payments.InboxEvent"),
        "events_by_type": dict(Counter(census.raw_values("payments.InboxEvent", "type")).most_common(12)),
    }


@probe("T-08")
def card_numbers(ctx: Context) -> Evidence:
    """No card number lies anywhere, and a pasted one is struck out before it is stored."""
    scanned, found = 0, Counter[str]()
    for label, name in census.text_columns(ctx.inventory.models.items()):
        for value in census.raw_values(label, name):
            scanned += 1
            if any(find_cards(str(value))):
                found[f"{label}.{name}"] += 1
    require(not found, "something like a card number is stored", columns=dict(found))
    with planted() as canary:
        left = [hit for hit in canary.hits() if hit.startswith("card")]
        thread: Any = census.model_of("support.Message")._base_manager.get(ticket__number=canary.ticket)
        struck = not any(find_cards(thread.body)) and "removed" in thread.body
    require(not left and struck, "a pasted card number was stored", hits=left)
    return {"values_scanned": scanned, "found": 0, "pasted_and_struck_out": 1, "at": ctx.now.isoformat()}


@probe("T-09", "G-12")
def support_messages(ctx: Context) -> Evidence:
    """What people write to us is sealed, every row of it."""
    sealed = {name: column for name, column in ctx.columns("support").items() if column.sealed}
    require("support.Message.body" in sealed, "messages are not declared as sealed")
    counted = {name: _sealed_share(name, column) for name, column in sealed.items()}
    with planted() as canary:
        found = [hit for hit in canary.hits() if hit.startswith("ticket")]
    require(not found, "planted words of a ticket were found", hits=found)
    first = census.oldest("support.Message", "written_at")
    return {"sealed_values": counted, "oldest_days": census.age(first, ctx.now), "planted_hits": 0}


def _sealed_share(name: str, column: Personal) -> int:
    """How many stored values a sealed column has; raises :class:`Broken` if one is in the clear."""
    label, _, field = name.rpartition(".")
    count = 0
    for value in census.raw_values(label, field):
        count += 1
        if not census.is_sealed(value):
            raise Broken(f"a value of {name} is not sealed", category=column.category)
    return count
