"""OpenRouter's key management: 201 with the secret, once and never again; names need not be unique."""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from samples.llm.app import key_of, read_body
from samples.llm.shapes import Refused
from samples.relays.relay import Key, Relay, Unusable, usd

PAGE = 100
RESETS = (None, "daily", "weekly", "monthly")
_CREATE = {"name", "limit", "limit_reset", "include_byok_in_limit", "expires_at", "workspace_id"}
_PATCH = {"name", "disabled", "limit", "limit_reset", "include_byok_in_limit"}


class OpenRouter(Relay):
    """The management key cannot call models; sold keys cannot manage."""

    chat_paths = ("/api/v1/chat/completions",)
    other_forms = ("/api/v1/responses", "/api/v1/messages")

    def __init__(self, admin: str = "sk-or-v1-demo-management", *, credits_usd: float = 1_000) -> None:
        super().__init__(admin)
        self.credits_usd = credits_usd

    def routes(self) -> list[Route]:
        return [
            Route("/api/v1/keys", self.create, methods=["POST"]),
            Route("/api/v1/keys", self.list_keys, methods=["GET"]),
            Route("/api/v1/keys/{hash}", self.read, methods=["GET"]),
            Route("/api/v1/keys/{hash}", self.patch, methods=["PATCH"]),
            Route("/api/v1/keys/{hash}", self.delete, methods=["DELETE"]),
            Route("/api/v1/key", self.own),
            Route("/api/v1/credits", self.credits),
        ]

    def refused(self, error: Refused) -> Response:
        return JSONResponse({"error": {"code": error.status, "message": error.message}}, error.status)

    def unusable(self, error: Unusable) -> Response:
        texts = {
            "unknown": (401, "User not found."),
            "blocked": (401, "This API key is disabled."),
            "expired": (401, "This API key has expired."),
            "spent": (402, "Key limit exceeded. Manage it using the keys page."),
            "model": (403, "This model is not allowed for this key."),
        }
        status, text = texts[error.why]
        return self.refused(Refused(status, "", text))

    async def create(self, request: Request) -> Response:
        self._admit(request)
        body = await read_body(request)

        def act(fault: str) -> Response:
            if not isinstance(body.get("name"), str) or not body["name"]:
                raise Refused(400, "", "name is required")
            self._check(body, _CREATE)
            secret = f"sk-or-v1-{secrets.token_hex(32)}"
            key = self.add(Key(id=0, secret=secret, name=body["name"], cap=None, created_at=self.now()))
            key.extra["bad"] = fault == "bad_secret"
            self._apply(key, body, fault)
            return JSONResponse({"data": self._show(key), "key": secret}, 201)

        return await self.do("create", act)

    async def list_keys(self, request: Request) -> Response:
        self._admit(request)
        offset = int(request.query_params.get("offset", "0"))
        disabled_too = request.query_params.get("include_disabled") == "true"

        def act(fault: str) -> Response:
            keys = [key for key in self.newest_first() if disabled_too or not key.blocked]
            return JSONResponse({"data": [self._show(key) for key in keys[offset : offset + PAGE]]})

        return await self.do("list", act)

    async def read(self, request: Request) -> Response:
        self._admit(request)
        return await self.do("read", lambda fault: JSONResponse({"data": self._show(self._find(request))}))

    async def patch(self, request: Request) -> Response:
        self._admit(request)
        body = await read_body(request)

        def act(fault: str) -> Response:
            key = self._find(request)
            self._check(body, _PATCH)
            self._apply(key, body, fault)
            return JSONResponse({"data": self._show(key)})

        op = "update" if "disabled" not in body else "suspend" if body["disabled"] else "resume"
        return await self.do(op, act)

    async def delete(self, request: Request) -> Response:
        self._admit(request)

        def act(fault: str) -> Response:
            del self.keys[self._find(request).id]
            return JSONResponse({"deleted": True})

        return await self.do("delete", act)

    async def own(self, request: Request) -> Response:
        key = self.find_user(request)
        shown = self._show(key)
        names = ("label", "usage", "limit", "limit_remaining")
        data = {name: shown[name] for name in names}
        rate = {"requests": -1, "interval": "10s"}
        return JSONResponse({"data": {**data, "is_free_tier": False, "rate_limit": rate}})

    async def credits(self, request: Request) -> Response:
        self._admit(request)

        def act(fault: str) -> Response:
            used = usd(sum(cost for _, _, cost in self.calls))
            return JSONResponse({"data": {"total_credits": self.credits_usd, "total_usage": used}})

        return await self.do("status", act)

    def _admit(self, request: Request) -> None:
        if key_of(request) != self.admin:
            raise Refused(401, "", "Invalid credentials")

    def _find(self, request: Request) -> Key:
        wanted = request.path_params["hash"]
        key = next((key for key in self.keys.values() if hash_of(key) == wanted), None)
        if key is None:
            raise Refused(404, "", "API key not found")
        return key

    def _check(self, body: dict[str, Any], known: set[str]) -> None:
        if set(body) - known:
            raise Refused(400, "", f"unknown fields: {sorted(set(body) - known)}")
        limit = body.get("limit")
        if limit is not None and (not isinstance(limit, int | float) or limit < 0):
            raise Refused(400, "", "limit must be a number from 0 on")
        if body.get("limit_reset") not in RESETS:
            raise Refused(400, "", "limit_reset must be daily, weekly or monthly")

    def _apply(self, key: Key, body: dict[str, Any], fault: str) -> None:
        if "limit" in body:
            limit = body["limit"]
            halved = 2 if fault == "short_cap" else 1
            key.cap = (
                None if limit is None or fault == "drop_restrictions" else round(limit * 1_000_000) // halved
            )
        if "disabled" in body:
            key.blocked = bool(body["disabled"])
        if "limit_reset" in body:
            key.extra["limit_reset"] = body["limit_reset"]
        if body.get("expires_at"):
            key.expires_at = dt.datetime.fromisoformat(body["expires_at"]).timestamp()
        key.name = body.get("name", key.name)

    def _show(self, key: Key) -> dict[str, Any]:
        left = None if key.cap is None else usd(max(key.cap - key.used, 0))
        spent = usd(key.used)
        return {
            "hash": hash_of(key),
            "name": key.name,
            "label": f"sk-or-v1-{key.secret[9:12]}...{key.secret[-3:]}",
            "disabled": key.blocked,
            "limit": usd(key.cap),
            "limit_remaining": left,
            "limit_reset": key.extra.get("limit_reset"),
            "include_byok_in_limit": False,
            "usage": spent,
            "usage_daily": spent,
            "usage_weekly": spent,
            "usage_monthly": spent,
            "created_at": self.stamp(key.created_at),
            "updated_at": None,
            "expires_at": self.stamp(key.expires_at),
        }


def hash_of(key: Key) -> str:
    """The id by which a key is managed."""
    return hashlib.sha256(key.secret.encode()).hexdigest()
