"""An operator's own system of keys, as small as the page of the webhook provisioner describes it.

A place to begin from: it checks every signature, looks a label up before it makes a key, and
keeps what it says it keeps. Here its keys can chat as well, so that a sold one can be tried.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from samples.llm.shapes import Refused
from samples.relays.relay import Key, Relay, Unusable

SECRET = "whsec_" + base64.b64encode(b"a secret that both sides know").decode()
KEPT = ("cap", "ends_at", "models", "ip_ranges", "requests_per_minute", "tokens_per_minute", "concurrency")
PAGE = 50
_FAULTS_OF = {"provide": "create", "write": "update", "find": "search", "withdraw": "delete"}
_OWN = ("ip_ranges", "requests_per_minute", "tokens_per_minute", "concurrency")


class OwnSystem(Relay):
    """``admin`` is the shared secret; ``kept`` names what stays as it was written."""

    def __init__(self, admin: str = SECRET, *, kept: tuple[str, ...] = KEPT) -> None:
        super().__init__(admin)
        self.kept, self.wallet = kept, 1_000 * 1_000_000

    def routes(self) -> list[Route]:
        return [Route("/keys", self.answer, methods=["POST"])]

    def refused(self, error: Refused) -> Response:
        return JSONResponse({"error": error.message}, error.status)

    def unusable(self, error: Unusable) -> Response:
        return JSONResponse({"error": error.why}, 401)

    def charge(self, key: Key, cost: int) -> None:
        key.spent += cost
        self.wallet -= cost

    async def answer(self, request: Request) -> Response:
        """All verbs, told by ``op``."""
        raw = await request.body()
        self._admit(request, raw)
        given = await request.json()
        op = given.pop("op")

        def act(fault: str) -> Response:
            return JSONResponse(getattr(self, f"on_{op}")(fault=fault, **given))

        return await self.do(_FAULTS_OF.get(op, op), act)

    def _admit(self, request: Request, raw: bytes) -> None:
        name, stamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        secret = self.admin
        key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
        mark = hmac.new(key, f"{name}.{stamp}.".encode() + raw, hashlib.sha256).digest()
        wanted = f"v1,{base64.b64encode(mark).decode()}"
        if not hmac.compare_digest(wanted, request.headers["webhook-signature"]):
            raise Refused(401, "", "signature")

    def on_probe(self, fault: str) -> dict[str, Any]:
        return {"version": "1", "unit": "USD", "keeps": list(self.kept), "wallet": self.wallet}

    def on_provide(self, fault: str, key: dict[str, Any]) -> dict[str, Any]:
        known = next((one for one in self.keys.values() if one.name == key["label"]), None)
        if known is None:
            made = Key(0, "own-" + secrets.token_hex(16), key["label"], None, self.now())
            known = self.add(made)
            known.extra["bad"] = fault == "bad_secret"
            self._apply(known, key, fault)
        return {"key": self.show(known), "secret": known.secret}

    def on_prove(self, fault: str, secret: str) -> dict[str, Any]:
        key = self.by_secret(secret)
        return {"works": key is not None and not key.blocked and not key.extra["bad"]}

    def on_find(self, fault: str, label: str) -> dict[str, Any]:
        return {"keys": [self.show(key) for key in self.keys.values() if key.name == label]}

    def on_list(self, fault: str, prefix: str, after: str | None) -> dict[str, Any]:
        ids = sorted(n for n, key in self.keys.items() if key.name.startswith(prefix) and n > int(after or 0))
        page = ids[:PAGE]
        return {
            "keys": [self.show(self.keys[n]) for n in page],
            "next": str(page[-1]) if len(ids) > PAGE else None,
        }

    def on_read(self, fault: str, handle: str) -> dict[str, Any]:
        return {"key": self.show(self._find(handle))}

    def on_suspend(self, fault: str, handle: str) -> dict[str, Any]:
        self._find(handle).blocked = True
        return self.on_read(fault, handle)

    def on_resume(self, fault: str, handle: str) -> dict[str, Any]:
        self._find(handle).blocked = False
        return self.on_read(fault, handle)

    def on_withdraw(self, fault: str, handle: str) -> dict[str, Any]:
        if fault == "twice" and int(handle) not in self.keys:
            return {}
        shown = self.on_read(fault, handle)
        del self.keys[int(handle)]
        return shown

    def on_write(self, fault: str, handle: str, key: dict[str, Any]) -> dict[str, Any]:
        self._apply(self._find(handle), key, fault)
        return self.on_read(fault, handle)

    def _find(self, handle: str) -> Key:
        key = self.keys.get(int(handle))
        if key is None:
            raise Refused(404, "", "missing")
        return key

    def _apply(self, key: Key, terms: dict[str, Any], fault: str) -> None:
        kept = {name: terms.get(name) for name in self.kept}
        key.cap = kept.get("cap")
        if fault == "short_cap" and key.cap:
            key.cap //= 2
        ends = kept.get("ends_at")
        key.expires_at = dt.datetime.fromisoformat(ends).timestamp() if ends else None
        key.models = () if fault == "drop_restrictions" else tuple(kept.get("models") or ())
        key.extra |= {name: kept.get(name) for name in _OWN}

    def show(self, key: Key) -> dict[str, Any]:
        """A key as it is told, also in what is pushed."""
        return {
            "handle": str(key.id),
            "label": key.name,
            "enabled": not key.blocked,
            "cap": key.cap,
            "used": key.used,
            "ends_at": self.stamp(key.expires_at),
            "models": list(key.models),
            "created_at": self.stamp(key.created_at),
            **{name: key.extra.get(name) for name in _OWN},
        }
