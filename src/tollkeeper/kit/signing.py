"""Signatures of this installation (Ed25519): one key for each use, made from the audit secret.

signature = sign("proofs", raw)
genuine("proofs", raw, signature)         # with our own key
check(raw, signature, public_key_hex)     # with a key that somebody published
"""

from __future__ import annotations

import hmac

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings


def _signer(use: str) -> Ed25519PrivateKey:
    secret = settings.ENV.secret("audit")
    return Ed25519PrivateKey.from_private_bytes(hmac.digest(secret, use.encode(), "sha256"))


def public_key(use: str) -> str:
    """The key with which anybody can check signatures of this use, in hex."""
    return _signer(use).public_key().public_bytes_raw().hex()


def sign(use: str, raw: bytes) -> str:
    """The signature of ``raw``, in hex."""
    return _signer(use).sign(raw).hex()


def check(raw: bytes, signature: str, key: str) -> bool:
    """Whether the owner of ``key`` (hex) signed ``raw``; False too for what is no key or signature."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), raw)
    except (InvalidSignature, ValueError):
        return False
    return True


def genuine(use: str, raw: bytes, signature: str) -> bool:
    """Whether we signed ``raw`` for this use."""
    return check(raw, signature, public_key(use))
