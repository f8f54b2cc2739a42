"""What a run of the proofs says, as one signed document that anybody can check again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.utils import timezone

import tollkeeper
from tollkeeper.kit import signing
from tollkeeper.privacy.policy_queries import find_current
from tollkeeper.proofs.running import BROKEN, Row, counts

SCHEMA = "tollkeeper-proofs/1"
USE = "proofs"
"""What the key of these signatures is for."""


def canonical(document: dict[str, Any]) -> bytes:
    """The bytes that are hashed and signed: all but hash, signature and key; keys sorted."""
    bare = {
        name: value for name, value in document.items() if name not in ("digest", "signature", "public_key")
    }
    return json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str).encode()


def compose(rows: Sequence[Row]) -> dict[str, Any]:
    """``{ok, counts, rows, …}`` with the policy's hash, the build, a digest and a signature (Ed25519)."""
    made = counts(rows)
    current = find_current()
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "ok": made["broken"] == 0 and bool(rows),
        "shop": settings.SHOP_NAME,
        "at": timezone.now().isoformat(timespec="seconds"),
        "build": tollkeeper.__version__,
        "policy_version": current.number if current else None,
        "policy_hash": current.body_hash if current else None,
        "counts": made,
        "rows": [asdict(row) for row in rows],
    }
    return signed(document)


def signed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with its digest, our signature (Ed25519) and the key to check it with."""
    raw = canonical(document)
    document["digest"] = hashlib.sha256(raw).hexdigest()
    document["signature"] = signing.sign(USE, raw)
    document["public_key"] = signing.public_key(USE)
    return document


def genuine(document: dict[str, Any], public_key: str) -> bool:
    """Whether a document says what its signer signed; ``public_key`` in hex."""
    raw = canonical(document)
    fits = signing.check(raw, str(document.get("signature", "")), public_key)
    return fits and bool(document.get("digest") == hashlib.sha256(raw).hexdigest())


def broken(rows: Sequence[Row]) -> list[str]:
    """The ids of promises that are not kept."""
    return [row.id for row in rows if row.status == BROKEN]
