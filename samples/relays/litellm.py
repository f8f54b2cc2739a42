"""LiteLLM's proxy: the caller chooses secret and alias, spend shows up late, echoes cannot be trusted.

Compared with the real proxy 1.106.2 on a real PostgreSQL, call by call. What differs
between releases is a parameter.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from samples.llm import shapes
from samples.llm.app import key_of, read_body
from samples.llm.shapes import Refused
from samples.relays.relay import Key, Relay, Unusable, usd

_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
SHORTEST_SECRET = 16


def token_of(secret: str) -> str:
    """The id of a key: SHA-256 of its text."""
    return hashlib.sha256(secret.encode()).hexdigest()


class LiteLLM(Relay):
    """By default as 1.106.2.

    ``refuses_repeats``: other releases refuse a secret that exists; this one answers 200
    and echoes what was asked, while the first row stays. ``budget_status``: the status of a
    spent budget, 400 and 429 in other releases; only its type can be relied on.
    """

    chat_paths = ("/v1/chat/completions", "/chat/completions")
    other_forms = ("/v1/responses", "/v1/messages")
    spend_delay_s = 1.0

    def __init__(
        self, admin: str = "sk-demo-litellm-admin", *, refuses_repeats: bool = False, budget_status: int = 422
    ) -> None:
        super().__init__(admin)
        self.refuses_repeats, self.budget_status = refuses_repeats, budget_status
        self.archive: dict[str, dict[str, Any]] = {}

    def routes(self) -> list[Route]:
        return [
            Route("/health/readiness", self.readiness),
            Route("/key/generate", self.generate, methods=["POST"]),
            Route("/key/info", self.info),
            Route("/key/list", self.list_keys),
            Route("/key/update", self.update, methods=["POST"]),
            Route("/key/block", self.block, methods=["POST"]),
            Route("/key/unblock", self.unblock, methods=["POST"]),
            Route("/key/delete", self.delete, methods=["POST"]),
            Route("/spend/logs", self.logs),
            Route("/v1/models", self.models),
        ]

    def refused(self, error: Refused) -> Response:
        body = {"message": error.message, "type": error.kind, "param": error.param, "code": str(error.status)}
        return JSONResponse({"error": body}, error.status)

    def unusable(self, error: Unusable) -> Response:
        if error.why == "spent":
            key = error.key
            assert key is not None
            said = f"Budget has been exceeded! Current cost: {usd(key.used)}, Max budget: {usd(key.cap)}"
            return self.refused(Refused(self.budget_status, "budget_exceeded", said))
        if error.why == "model":
            return self.refused(
                Refused(
                    403, "key_model_access_denied", "The requested model is not available for this API key."
                )
            )
        texts = {
            "unknown": "Authentication Error, Invalid proxy server token passed.",
            "blocked": "Authentication Error, Key is blocked. Update via `/key/unblock` if you're an admin.",
            "expired": "Authentication Error - Expired Key.",
        }
        kind = {"unknown": "token_not_found_in_db", "expired": "expired_key"}.get(error.why, "auth_error")
        return self.refused(Refused(401, kind, texts[error.why]))

    async def readiness(self, request: Request) -> Response:
        return JSONResponse({"status": "healthy", "db": "connected"})

    async def generate(self, request: Request) -> Response:
        self._admit(request)
        body = await read_body(request)

        def act(fault: str) -> Response:
            secret = str(body.get("key") or f"sk-{secrets.token_urlsafe(16)}")
            if not secret.startswith("sk-") or len(secret) < SHORTEST_SECRET:
                raise Refused(400, "internal_server_error", "{'error': 'Invalid key format.'}")
            wanted = self._wanted(body, fault)
            first = self.by_secret(secret)
            if first is not None and self.refuses_repeats:
                raise Refused(400, "bad_request_error", "Key already exists", "key")
            alias = body.get("key_alias")
            if alias and any(key.name == alias for key in self.keys.values()):
                raise Refused(
                    400, "bad_request_error", f"Key with alias '{alias}' already exists.", "key_alias"
                )
            if first is not None:
                return JSONResponse(self._echo(secret, body, first))
            key = self.add(Key(id=0, secret=secret, name=alias or "", cap=None, created_at=self.now()))
            self._apply(key, wanted)
            key.extra["bad"] = fault == "bad_secret"
            return JSONResponse(self._echo(secret, body, key))

        return await self.do("create", act)

    async def info(self, request: Request) -> Response:
        asked = request.query_params.get("key") or key_of(request)
        if key_of(request) not in (self.admin, asked):
            raise Refused(403, "auth_error", "You are not allowed to access this key's info.")

        def act(fault: str) -> Response:
            known = {asked, token_of(asked)} & self.archive.keys()
            info = self.archive[known.pop()] if known and self._lost(asked) else self._info(self._find(asked))
            shown = asked if request.query_params.get("key") else token_of(asked)
            return JSONResponse({"key": shown, "info": info})

        return await self.do("read", act)

    async def list_keys(self, request: Request) -> Response:
        self._admit(request)
        page = int(request.query_params.get("page", "1"))
        size = min(int(request.query_params.get("size", "10")), 100)
        full = request.query_params.get("return_full_object") == "true"
        alias = request.query_params.get("key_alias")

        def act(fault: str) -> Response:
            keys = [key for key in self.newest_first() if alias is None or key.name == alias]
            part = keys[(page - 1) * size : page * size]
            shown = [self._info(key) if full else token_of(key.secret) for key in part]
            pages = -(-len(keys) // size)
            return JSONResponse(
                {"keys": shown, "total_count": len(keys), "current_page": page, "total_pages": pages}
            )

        return await self.do("list", act)

    async def update(self, request: Request) -> Response:
        self._admit(request)
        body = await read_body(request)

        def act(fault: str) -> Response:
            key = self._find(str(body.get("key", "")))
            self._apply(key, self._wanted(body, fault))
            return JSONResponse({"key": body["key"], **self._info(key)})

        return await self.do("update", act)

    async def block(self, request: Request) -> Response:
        return await self._set_blocked(request, "suspend", blocked=True)

    async def unblock(self, request: Request) -> Response:
        return await self._set_blocked(request, "resume", blocked=False)

    async def delete(self, request: Request) -> Response:
        self._admit(request)
        body = await read_body(request)

        def act(fault: str) -> Response:
            wanted = set(body.get("keys") or ())
            aliases = set(body.get("key_aliases") or ())
            found = [
                k for k in self.keys.values() if {k.secret, token_of(k.secret)} & wanted or k.name in aliases
            ]
            if not found:
                raise Refused(404, "internal_server_error", "{'error': 'No keys found'}")
            for key in found:
                gone = {"deleted_at": self.stamp(self.now()), "deleted_by": "default_user_id"}
                self.archive[token_of(key.secret)] = {**self._info(key), **gone, "status": "deleted"}
                del self.keys[key.id]
            return JSONResponse({"deleted_keys": [*wanted, *aliases]})

        return await self.do("delete", act)

    async def logs(self, request: Request) -> Response:
        self._admit(request)

        def act(fault: str) -> Response:
            shown_until = self.flushed_at
            rows = [
                {
                    "api_key": token_of(self.keys[key].secret),
                    "spend": usd(cost),
                    "startTime": self.stamp(moment),
                }
                for moment, key, cost in self.calls
                if moment <= shown_until and key in self.keys
            ]
            return JSONResponse(rows)

        return await self.do("logs", act)

    async def models(self, request: Request) -> Response:
        key = self.find_user(request)
        listed = shapes.model_list("litellm")
        listed["data"] = [item for item in listed["data"] if not key.models or item["id"] in key.models]
        return JSONResponse(listed)

    async def _set_blocked(self, request: Request, op: str, *, blocked: bool) -> Response:
        self._admit(request)
        body = await read_body(request)

        def act(fault: str) -> Response:
            key = self._find(str(body.get("key", "")))
            key.blocked = blocked
            return JSONResponse(self._info(key))

        return await self.do(op, act)

    def _admit(self, request: Request) -> None:
        if key_of(request) == self.admin:
            return
        kind = "auth_error" if self.by_secret(key_of(request)) else "token_not_found_in_db"
        raise Refused(401, kind, "Authentication Error, Invalid proxy server token passed.")

    def _find(self, asked: str) -> Key:
        for key in self.keys.values():
            if asked in (key.secret, token_of(key.secret)):
                return key
        raise Refused(404, "not_found_error", "Key not found in database")

    def _lost(self, asked: str) -> bool:
        return all(asked not in (key.secret, token_of(key.secret)) for key in self.keys.values())

    def _wanted(self, body: dict[str, Any], fault: str) -> dict[str, Any]:
        wanted = dict(body)  # fields it does not know are dropped without a word
        if fault == "drop_restrictions":
            for name in ("models", "rpm_limit", "tpm_limit", "max_parallel_requests"):
                wanted.pop(name, None)
        if fault == "short_cap" and wanted.get("max_budget"):
            wanted["max_budget"] /= 2
        return wanted

    def _apply(self, key: Key, wanted: dict[str, Any]) -> None:
        if "max_budget" in wanted:
            budget = wanted["max_budget"]
            key.cap = None if budget is None else round(float(budget) * 1_000_000)
        if "models" in wanted:
            key.models = tuple(wanted["models"] or ())
        if "duration" in wanted:
            key.expires_at = self._until(wanted["duration"])
        if "key_alias" in wanted:
            key.name = wanted["key_alias"] or ""
        if wanted.get("blocked") is not None:
            key.blocked = bool(wanted["blocked"])
        for name in ("metadata", "rpm_limit", "tpm_limit", "max_parallel_requests", "budget_duration"):
            if name in wanted:
                key.extra[name] = wanted[name]

    def _until(self, duration: Any) -> float | None:
        if duration in (None, "-1"):
            return None
        match = re.fullmatch(r"(\d+)(s|m|h|d)", str(duration))
        if match is None:
            raise Refused(500, "internal_server_error", "Invalid duration format")
        return self.now() + int(match[1]) * _SPANS[match[2]]

    def _info(self, key: Key) -> dict[str, Any]:
        return {
            "token": token_of(key.secret),
            "key_name": f"sk-...{key.secret[-4:]}",
            "key_alias": key.name or None,
            "spend": usd(key.spent),
            "max_budget": usd(key.cap),
            "budget_duration": key.extra.get("budget_duration"),
            "budget_reset_at": None,
            "expires": self.stamp(key.expires_at),
            "models": list(key.models),
            "tpm_limit": key.extra.get("tpm_limit"),
            "rpm_limit": key.extra.get("rpm_limit"),
            "max_parallel_requests": key.extra.get("max_parallel_requests"),
            "blocked": key.blocked or None,
            "metadata": key.extra.get("metadata") or {},
            "created_at": self.stamp(key.created_at),
        }

    def _echo(self, secret: str, body: dict[str, Any], key: Key) -> dict[str, Any]:
        """What ``/key/generate`` answers: mostly what was asked, not what is stored."""
        defaults: dict[str, Any] = {
            "key_alias": None,
            "models": [],
            "max_budget": None,
            "metadata": {},
            "rpm_limit": None,
        }
        return {
            **self._info(key),
            **{name: body.get(name) or default for name, default in defaults.items()},
            "key": secret,
            "user_id": body.get("user_id"),
        }
