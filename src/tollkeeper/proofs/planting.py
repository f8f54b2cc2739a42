"""A disposable person, planted by the verbs that people's own doings call, gone without a trace.

Everything happens in one transaction that is rolled back at the end, so that the shop never
sees the canary; its key in the keystore is destroyed. While it lives, the raw tables can be
searched for every value that was planted.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.db import connections, transaction

from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.sessions import SessionStore
from tollkeeper.kit import sealed
from tollkeeper.privacy.canary import Hit, Scanner
from tollkeeper.privacy.discovery import installed_models
from tollkeeper.support import services as support

CARD = "4000 0000 0000 9995"
"""A test number that no bank gave out."""
_NEWEST = 2_000
_SMALL = 20_000


@dataclass(frozen=True, slots=True)
class Canary:
    """The planted person and every value that must not be found; ``needles`` by what they are."""

    subject: uuid.UUID
    customer_id: int
    ticket: str
    needles: dict[str, str]

    def hits(self) -> list[str]:
        """Where planted values lie in the clear: ``what in default: table.column``."""
        names = list(self.needles)
        scanner = Scanner(self.needles.values())
        return sorted({f"{names[hit.needle]} in {hit.place}" for hit in scan(scanner)})


def scan(scanner: Scanner) -> Iterator[Hit]:
    """Small tables whole, of large ones the newest rows: the canary is among them."""
    for model in installed_models().values():
        alias = "keystore" if model._meta.app_label == "keystore" else "default"
        connection = connections[alias]
        quote = connection.ops.quote_name
        table, key = model._meta.db_table, quote(str(model._meta.pk.column))
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {quote(table)} LIMIT {_SMALL}")  # noqa: S608
            rows = cursor.fetchall()
            if len(rows) == _SMALL:
                cursor.execute(f"SELECT * FROM {quote(table)} ORDER BY {key} DESC LIMIT {_NEWEST}")  # noqa: S608
                rows += cursor.fetchall()
            columns = [column[0] for column in cursor.description]
        for row in rows:
            for column, value in zip(columns, row, strict=True):
                yield from scanner.scan_value(value, f"{alias}: {table}.{column}")


@contextmanager
def planted() -> Iterator[Canary]:
    """Plant a person with address, password, nickname, second factor, session and ticket."""
    word = secrets.token_hex(8)
    needles = {
        "address": f"Canary.{word}@example.org",
        "password": f"pw-{secrets.token_urlsafe(18)}",
        "nickname": f"Nick {secrets.token_hex(6)}",
        "second factor": generate_totp_secret(),
        "session id": "",
        "session word": secrets.token_hex(12),
        "ticket": f"words {secrets.token_hex(12)}",
        "card": CARD.replace(" ", ""),
        "card as written": CARD,
    }
    subject: uuid.UUID | None = None
    try:
        with transaction.atomic():
            user = accounts.create_person(needles["address"], needles["password"])
            subject = user.pk
            customer = accounts.ensure_customer(user)
            accounts.set_nickname(user.pk, needles["nickname"])
            TOTP.activate(user, needles["second factor"])
            session = SessionStore()
            session["account_verified_email"] = needles["address"]
            session["word"] = needles["session word"]
            session.save()
            needles["session id"] = session.session_key or ""
            ticket = support.open_ticket(
                "canary", f"{needles['ticket']}, card: {CARD}", customer_id=customer, owner=user.pk
            )
            yield Canary(user.pk, customer, ticket, needles)
            transaction.set_rollback(True)
    finally:
        if subject is not None:
            sealed.destroy(subject)
