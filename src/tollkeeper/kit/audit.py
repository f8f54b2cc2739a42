"""The audit trail: who did what to whose data, under pseudonyms, in a chain that shows any change.

    record("ticket.read", actor=person(staff_id), object="support.Ticket:12", subject=owner_id)

An entry is written in the caller's transaction and chained to the one before. Every day the
end of the chain is signed (:func:`sign_head`) and written to ``<home>/anchors/audit.log``,
outside the book; :func:`verify_trail` compares all three. Nothing a person entered is ever
recorded: names of columns, ids and codes of ours only.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import re
import secrets
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tollkeeper.core.chain import GENESIS, Head, Link, Verdict, seal, verify
from tollkeeper.kit import append_only, signing
from tollkeeper.kit.fields import to_micros
from tollkeeper.kit.trail.models import AuditHead, Entry, Pseudonym, Tip

_CODE = re.compile(r"[A-Za-z0-9_.:,/*#+-]*")

append_only.guard("trail_entry")
append_only.guard("trail_audithead")
append_only.guard("trail_disclosure", columns=("at", "processor", "purpose", "fields", "categories", "size"))


class NotACode(ValueError):
    """Something that could be a person's words was about to enter the trail."""


def _secret(use: str) -> bytes:
    """A key for one use, derived from the installation's audit secret."""
    return hmac.new(settings.ENV.secret("audit"), use.encode(), hashlib.sha256).digest()


def person(subject: uuid.UUID | None) -> str:
    """The pseudonym that stands for a person in the trail, made on first need; empty for None."""
    if subject is None:
        return ""
    row, _ = Pseudonym.objects.get_or_create(
        subject=subject, defaults={"name": "p_" + secrets.token_hex(10), "created_at": timezone.now()}
    )
    return row.name


def find_pseudonym(subject: uuid.UUID) -> str | None:
    """The pseudonym that stands for a person, if there is one: for reading, nothing is made."""
    return Pseudonym.objects.filter(subject=subject).values_list("name", flat=True).first()


def forget_person(subject: uuid.UUID) -> bool:
    """Cut the tie between a person and their pseudonym; the trail stays whole. False if there was none."""
    return bool(Pseudonym.objects.filter(subject=subject).delete()[0])


def record(
    verb: str,
    *,
    actor: str = "system",
    object: str = "",
    subject: uuid.UUID | None = None,
    fields: Iterable[str] = (),
    note: str = "",
) -> int:
    """Add an entry as part of the caller's transaction; its number.

    ``actor`` is a pseudonym from :func:`person`, ``system`` or ``job:<kind>``. Raises
    :class:`NotACode` if any part holds more than a code.
    """
    named = ",".join(fields)
    for text in (verb, actor, object, named, note):
        if _CODE.fullmatch(text) is None:
            raise NotACode(f"audit entries hold codes only, not {len(text)} characters of text")
    with transaction.atomic():
        Tip.objects.get_or_create(id=1, defaults={"mac": GENESIS})
        tip = Tip.objects.select_for_update().get(id=1)
        entry = Entry(
            seq=tip.seq + 1,
            at=timezone.now(),
            actor=actor,
            verb=verb,
            object=object,
            subject=person(subject),
            fields=named,
            note=note,
        )
        entry.mac = seal(_secret("chain"), tip.mac, entry.seq, _parts(entry))
        entry.save(force_insert=True)
        tip.seq, tip.mac = entry.seq, entry.mac
        tip.save(update_fields=["seq", "mac"])
    return entry.seq


def _parts(entry: Entry) -> tuple[str, ...]:
    at = str(to_micros(entry.at))
    return (at, entry.actor, entry.verb, entry.object, entry.subject, entry.fields, entry.note)


def _links(after: int) -> Iterator[Link]:
    for entry in Entry.objects.filter(seq__gt=after).order_by("seq").iterator(chunk_size=2000):
        yield Link(entry.seq, _parts(entry), entry.mac)


# ---- heads


def public_key() -> str:
    """The key with which anybody can check a head, in hex (Ed25519)."""
    return signing.public_key("head")


def _statement(on: dt.date, kind: str, seq: int, mac: str) -> bytes:
    return f"tollkeeper-audit-head|{on.isoformat()}|{kind}|{seq}|{mac}".encode()


def check_signature(on: dt.date, kind: str, seq: int, mac: str, signature: str, key: str) -> bool:
    """Whether a published head was signed by ``key`` (hex)."""
    return signing.check(_statement(on, kind, seq, mac), signature, key)


def anchor_file() -> Path:
    """Where heads are written outside the book: one JSON object a line. Ship it elsewhere."""
    return Path(settings.ENV.home) / "anchors" / "audit.log"


def sign_head(today: dt.date, kind: str = "daily") -> AuditHead | None:
    """Sign the end of the chain once a day and anchor it; None if there is no entry yet."""
    with transaction.atomic():
        tip = Tip.objects.filter(id=1).first()
        if tip is None or tip.seq == 0:
            return None
        known = AuditHead.objects.filter(on=today, kind=kind).first()
        if known is None:
            known = AuditHead.objects.create(
                on=today,
                kind=kind,
                seq=tip.seq,
                mac=tip.mac,
                signature=signing.sign("head", _statement(today, kind, tip.seq, tip.mac)),
                created_at=timezone.now(),
            )
    _anchor(known)
    return known


def _anchor(head: AuditHead) -> None:
    line = json.dumps(describe(head), sort_keys=True)
    path = anchor_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists() or line not in path.read_text().splitlines():
        with path.open("a") as file:
            file.write(line + "\n")


def describe(head: AuditHead) -> dict[str, str | int]:
    """A head as it is published."""
    return {
        "on": head.on.isoformat(),
        "kind": head.kind,
        "seq": head.seq,
        "mac": head.mac,
        "signature": head.signature,
    }


def published_heads(limit: int = 400) -> list[dict[str, str | int]]:
    """The newest heads, newest first."""
    return [describe(head) for head in AuditHead.objects.order_by("-seq", "-pk")[:limit]]


def _anchored() -> list[dict[str, str | int]]:
    try:
        lines = anchor_file().read_text().splitlines()
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines if line.strip()]


def verify_trail() -> Verdict:
    """Check every entry against the chain, the heads in the book and the heads outside it."""
    key = public_key()
    heads: list[Head] = []
    for row in [*_anchored(), *published_heads(limit=10_000)]:
        seq, mac = int(row["seq"]), str(row["mac"])
        on = dt.date.fromisoformat(str(row["on"]))
        if not check_signature(on, str(row["kind"]), seq, mac, str(row["signature"]), key):
            return Verdict(0, Head(0, GENESIS), seq, "a head was not signed by us")
        heads.append(Head(seq, mac))
    closing = AuditHead.objects.filter(kind="closing").order_by("-seq").first()
    oldest = Entry.objects.order_by("seq").first()
    start = Head(0, GENESIS)
    if closing is not None and (oldest is None or oldest.seq == closing.seq + 1):
        start = Head(closing.seq, closing.mac)
    verdict = verify(_secret("chain"), _links(start.seq), heads, start)
    tip = Tip.objects.filter(id=1).first()
    ends = tip is None or not tip.seq or (tip.seq, tip.mac) == (verdict.last.seq, verdict.last.mac)
    if verdict.ok and not ends:
        return Verdict(verdict.entries, verdict.last, verdict.last.seq + 1, "the end was cut off")
    return verdict


def drop_segment(before: dt.date, today: dt.date) -> int:
    """Drop entries older than ``before`` that a closing head covers; the number dropped.

    The closing head is signed at the last entry to go, so that what remains still verifies.
    """
    limit = dt.datetime.combine(before, dt.time(), dt.UTC)
    with transaction.atomic():
        last = Entry.objects.filter(at__lt=limit).order_by("-seq").first()
        if last is None:
            return 0
        if AuditHead.objects.filter(on=today, kind="closing").exists():
            return 0  # one closing head a day; what is left goes tomorrow
        head = AuditHead.objects.create(
            on=today,
            kind="closing",
            seq=last.seq,
            mac=last.mac,
            signature=signing.sign("head", _statement(today, "closing", last.seq, last.mac)),
            created_at=timezone.now(),
        )
        with append_only.cleared("trail_entry", "retention"):
            gone, _ = Entry.objects.filter(seq__lte=last.seq).delete()
    _anchor(head)
    return gone
