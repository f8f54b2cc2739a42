"""An operator's own system of keys, as small as the webhook provisioner's page describes it."""

from __future__ import annotations

import base64
import copy
import hashlib
import hmac
import secrets
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from samples.relays.faults import Faults, run

SECRET = "whsec_" + base64.b64encode(b"a secret that both sides know").decode()
_FAULTS_OF = {"provide": "create", "write": "update", "find": "search"}
PAGE = 50
KEPT = ("cap", "ends_at", "models", "ip_ranges", "requests_per_minute", "tokens_per_minute", "concurrency")


class Wrong(Exception):
    """A clear no."""


class OperatorSystem:
    """Keeps keys in memory and checks every signature."""

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, Any]] = {}
        self.faults = Faults()
        self.app = Starlette(routes=[Route("/keys", self.answer, methods=["POST"])])

    def labels(self) -> list[str]:
        return [key["label"] for key in self.keys.values()]

    def use(self, secret: str) -> bool:
        """A call with a sold key."""
        for key in self.keys.values():
            if key["secret"] == secret and key["enabled"] and not key["bad"]:
                key["used"] += 1000
                return True
        return False

    async def answer(self, request: Request) -> Response:
        raw = await request.body()
        name, stamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        mark = hmac.new(
            base64.b64decode(SECRET[6:]), f"{name}.{stamp}.".encode() + raw, hashlib.sha256
        ).digest()
        if request.headers["webhook-signature"] != f"v1,{base64.b64encode(mark).decode()}":
            return JSONResponse({"error": "signature"}, 401)
        given = await request.json()
        op = given.pop("op")
        kept = copy.deepcopy(self.keys)

        def act(fault: str) -> Response:
            try:
                return JSONResponse(getattr(self, f"on_{op}")(fault=fault, **given))
            except Wrong as error:
                return JSONResponse({"error": str(error)}, 404)

        def undo() -> None:
            self.keys = kept

        return await run(self.faults.draw(_FAULTS_OF.get(op, op)), act, undo)

    def on_probe(self, fault: str) -> dict[str, Any]:
        return {"version": "1", "unit": "USD", "keeps": list(KEPT), "wallet": None}

    def on_provide(self, fault: str, key: dict[str, Any]) -> dict[str, Any]:
        known = next((k for k in self.keys.values() if k["label"] == key["label"]), None)
        if known is None:
            handle = secrets.token_hex(6)
            known = {
                "handle": handle,
                "label": key["label"],
                "enabled": True,
                "used": 0,
                "bad": fault == "bad_secret",
            }
            known["secret"] = "own-" + secrets.token_hex(16)
            self.keys[handle] = known
            self._apply(known, key, fault)
        return {"key": self._show(known), "secret": known["secret"]}

    def on_prove(self, fault: str, secret: str) -> dict[str, Any]:
        good = (k for k in self.keys.values() if k["secret"] == secret and k["enabled"] and not k["bad"])
        return {"works": any(good)}

    def on_find(self, fault: str, label: str) -> dict[str, Any]:
        return {"keys": [self._show(key) for key in self.keys.values() if key["label"] == label]}

    def on_list(self, fault: str, prefix: str, after: str | None) -> dict[str, Any]:
        handles = sorted(
            h for h, k in self.keys.items() if k["label"].startswith(prefix) and h > (after or "")
        )
        page = handles[:PAGE]
        more = page[-1] if len(handles) > PAGE else None
        return {"keys": [self._show(self.keys[handle]) for handle in page], "next": more}

    def on_read(self, fault: str, handle: str) -> dict[str, Any]:
        return {"key": self._show(self._find(handle))}

    def on_suspend(self, fault: str, handle: str) -> dict[str, Any]:
        self._find(handle)["enabled"] = False
        return self.on_read(fault, handle)

    def on_resume(self, fault: str, handle: str) -> dict[str, Any]:
        self._find(handle)["enabled"] = True
        return self.on_read(fault, handle)

    def on_withdraw(self, fault: str, handle: str) -> dict[str, Any]:
        shown = self.on_read(fault, handle) if fault != "twice" or handle in self.keys else {}
        self.keys.pop(handle, None)
        return shown

    def on_write(self, fault: str, handle: str, key: dict[str, Any]) -> dict[str, Any]:
        self._apply(self._find(handle), key, fault)
        return self.on_read(fault, handle)

    def _find(self, handle: str) -> dict[str, Any]:
        if handle not in self.keys:
            raise Wrong("missing")
        return self.keys[handle]

    def _apply(self, key: dict[str, Any], terms: dict[str, Any], fault: str) -> None:
        for name in KEPT:
            key[name] = terms.get(name)
        if fault == "drop_restrictions":
            key["models"] = []
        if fault == "short_cap" and key["cap"]:
            key["cap"] //= 2

    def _show(self, key: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in key.items() if name not in ("secret", "bad")}
