"""What a run of the proofs says, as one signed document that anybody can check again."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings
from django.utils import timezone

import tollkeeper
from tollkeeper.privacy.policy_queries import find_current
from tollkeeper.proofs.running import BROKEN, Row, counts

SCHEMA = "tollkeeper-proofs/1"


def canonical(document: dict[str, Any]) -> bytes:
    """The bytes that are hashed and signed: all but hash, signature and key; keys sorted."""
    bare = {
        name: value for name, value in document.items() if name not in ("digest", "signature", "public_key")
    }
    return json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str).encode()


def _signer() -> Ed25519PrivateKey:
    secret = settings.ENV.secret("audit")
    return Ed25519PrivateKey.from_private_bytes(hmac.digest(secret, b"proofs", "sha256"))


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
    raw = canonical(document)
    signer = _signer()
    document["digest"] = hashlib.sha256(raw).hexdigest()
    document["signature"] = signer.sign(raw).hex()
    document["public_key"] = signer.public_key().public_bytes_raw().hex()
    return document


def genuine(document: dict[str, Any], public_key: str) -> bool:
    """Whether a document says what its signer signed; ``public_key`` in hex."""
    raw = canonical(document)
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(
            bytes.fromhex(str(document.get("signature", ""))), raw
        )
    except (InvalidSignature, ValueError):
        return False
    return bool(document.get("digest") == hashlib.sha256(raw).hexdigest())


def broken(rows: Sequence[Row]) -> list[str]:
    """The ids of promises that are not kept."""
    return [row.id for row in rows if row.status == BROKEN]
