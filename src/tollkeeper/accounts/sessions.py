"""Database sessions that only the browser's holder can read.

The table is keyed by a keyed hash of the session id, and the payload is sealed under a key
derived from the id and the installation's key. Whoever holds table and keystore but not the
cookie reads nothing and can impersonate nobody; once the cookie is gone the payload is
unreadable for ever, in backups too.
"""

from __future__ import annotations

import json
import os
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from tollkeeper.kit.keystore import ring
from tollkeeper.kit.keystore.ring import decode64, encode64

_PREFIX = "t1"
_CONTEXT = "sessions.session"
_NONCE = 12


def row_key(session_key: str) -> str:
    """What the table knows a session by: a keyed hash of its id."""
    return _PREFIX + ring.current().blind(session_key, _CONTEXT)[0]


class SessionStore(DatabaseStore):
    """Drop-in for ``django.contrib.sessions.backends.db``."""

    def _cipher(self, kek: bytes) -> AESGCM:
        salt = (self.session_key or "").encode()
        return AESGCM(ring.current().derive("session", kek, salt))

    def encode(self, session_dict: dict[str, Any]) -> str:
        kek_id, kek = next(iter(ring.current().by_id.items()))
        nonce = os.urandom(_NONCE)
        raw = json.dumps(session_dict, separators=(",", ":")).encode()
        body = self._cipher(kek).encrypt(nonce, raw, _CONTEXT.encode())
        return f"{_PREFIX}.{kek_id}.{encode64(nonce + body)}"

    def decode(self, session_data: Any) -> dict[str, Any]:
        """The payload; empty for anything that this session's key did not seal."""
        try:
            _, kek_id, body = session_data.split(".")
            raw = decode64(body)
            kek = ring.current().by_id[kek_id]
            clear = self._cipher(kek).decrypt(raw[:_NONCE], raw[_NONCE:], _CONTEXT.encode())
        except (ValueError, KeyError, InvalidTag):
            return {}
        loaded: dict[str, Any] = json.loads(clear)
        return loaded

    def _get_session_from_db(self) -> Any:
        known = self._session_key
        if known is None:
            return None
        self._session_key = row_key(known)
        try:
            return super()._get_session_from_db()  # type: ignore[misc]
        finally:
            # the parent forgets the key of a session that does not exist
            self._session_key = known if self._session_key is not None else None

    async def _aget_session_from_db(self) -> Any:
        known = self._session_key
        if known is None:
            return None
        self._session_key = row_key(known)
        try:
            return await super()._aget_session_from_db()  # type: ignore[misc]
        finally:
            self._session_key = known if self._session_key is not None else None

    def exists(self, session_key: str) -> bool:
        return super().exists(row_key(session_key))

    async def aexists(self, session_key: str) -> bool:
        return await super().aexists(row_key(session_key))

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        row = super().create_model_instance(data)
        row.session_key = row_key(row.session_key)
        return row

    async def acreate_model_instance(self, data: dict[str, Any]) -> Any:
        row = await super().acreate_model_instance(data)
        row.session_key = row_key(row.session_key)
        return row

    def delete(self, session_key: str | None = None) -> None:
        known = session_key or self.session_key
        if known is not None:
            super().delete(row_key(known))

    async def adelete(self, session_key: str | None = None) -> None:
        known = session_key or self.session_key
        if known is not None:
            await super().adelete(row_key(known))


__all__ = ["SessionStore", "UpdateError", "row_key"]
