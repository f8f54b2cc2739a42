"""New API and One API: everything is 200, ``success`` tells, and New API's create answers no id.

Quota is counted in the server's own units, 500,000 to the dollar unless its operator
changed that. A token's quota is only a cap: the account's wallet pays as well.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from samples.llm.app import key_of, read_body
from samples.llm.shapes import Refused
from samples.relays.relay import Key, Relay, Unusable

ENABLED, DISABLED, EXPIRED, USED_UP = 1, 2, 3, 4
_LETTERS = string.ascii_letters + string.digits


class NewAPI(Relay):
    """``one`` makes it One API: ids in the answer, pages from 0, no user header, search by prefix.

    ``fork`` is a fork that keeps no restrictions. ``quota_per_unit`` is what one
    dollar is in its units. ``wallet`` is what the account owns, in those units.
    """

    max_name = 50
    secrets_per_minute = 20

    def __init__(
        self,
        admin: str = "demo-newapi-token",
        *,
        one: bool = False,
        fork: bool = False,
        quota_per_unit: int = 500_000,
        wallet_usd: int = 1_000,
        user: int = 7,
    ) -> None:
        self.other_forms = () if one else ("/v1/responses", "/v1/messages")
        super().__init__(admin)
        self.one, self.fork, self.quota_per_unit, self.user = one, fork, quota_per_unit, user
        self.wallet = wallet_usd * quota_per_unit
        self.secret_reads: list[float] = []

    def routes(self) -> list[Route]:
        return [
            Route("/api/status", self.status),
            Route("/api/user/self", self.self_, methods=["GET"]),
            Route("/api/token/", self.list_tokens, methods=["GET"]),
            Route("/api/token/", self.create, methods=["POST"]),
            Route("/api/token/", self.update, methods=["PUT"]),
            Route("/api/token/search", self.search),
            Route("/api/token/{id:int}", self.one_token, methods=["GET"]),
            Route("/api/token/{id:int}", self.delete, methods=["DELETE"]),
            Route("/api/token/{id:int}/key", self.secret, methods=["POST"]),
            Route("/api/usage/token/", self.token_usage),
            Route("/v1/dashboard/billing/subscription", self.subscription),
            Route("/v1/dashboard/billing/usage", self.usage),
        ]

    # --- units: money is micro-dollars inside, quota outside ---

    def quota(self, micro: int | None) -> int:
        return 0 if micro is None else micro * self.quota_per_unit // 1_000_000

    def micro(self, quota: int) -> int:
        return quota * 1_000_000 // self.quota_per_unit

    # --- answers ---

    def good(self, data: Any = None) -> Response:
        body: dict[str, Any] = {"success": True, "message": ""}
        return JSONResponse(body if data is None else {**body, "data": data})

    def refused(self, error: Refused) -> Response:
        if error.status in (401, 403):
            return JSONResponse(
                {"success": False, "message": error.message, "code": error.code}, error.status
            )
        if error.status == 429:
            return Response(error.message, 429, media_type="text/plain")
        return JSONResponse({"success": False, "message": error.message})

    def unusable(self, error: Unusable) -> Response:
        texts = {
            "unknown": (401, "Invalid token"),
            "blocked": (401, "The token status is unavailable"),
            "expired": (401, "The token has expired"),
            "spent": (403, "The token quota is not enough"),
            "wallet": (403, "The user quota is not enough"),
            "model": (403, "The token has no access to this model"),
        }
        status, text = texts[error.why]
        codes = {"spent": "pre_consume_token_quota_failed", "wallet": "insufficient_user_quota"}
        body = {"message": text, "type": "new_api_error", "param": "", "code": codes.get(error.why, "")}
        return JSONResponse({"error": body}, status)

    def find_user(self, request: Request) -> Key:
        try:
            key = super().find_user(request)
        except Unusable as no:
            if no.why == "spent" and no.key is not None:
                no.key.extra["status"] = (
                    USED_UP  # and stays so, whatever is written, until it is enabled again
                )
            raise
        if key.extra.get("status") == USED_UP:
            raise Unusable("spent", key)
        if self.wallet <= 0:
            raise Unusable("wallet", key)
        return key

    def by_secret(self, secret: str) -> Key | None:
        return super().by_secret(secret.removeprefix("sk-"))

    def charge(self, key: Key, cost: int) -> None:
        key.spent += cost
        self.wallet -= self.quota(cost)

    # --- administration ---

    async def status(self, request: Request) -> Response:
        def act(fault: str) -> Response:
            version = "v0.6.11" if self.one else "v0.13.2"
            return self.good(
                {"version": version, "quota_per_unit": self.quota_per_unit, "display_in_currency": True}
            )

        return await self.do("status", act)

    async def self_(self, request: Request) -> Response:
        self._admit(request)
        used = sum(self.quota(key.used) for key in self.keys.values())
        return self.good({"id": self.user, "quota": self.wallet, "used_quota": used, "group": "default"})

    async def create(self, request: Request) -> Response:
        self._admit(request)
        body = await read_body(request)

        def act(fault: str) -> Response:
            name = str(body.get("name", ""))
            longest = 30 if self.one else self.max_name
            if not name or len(name) > longest:
                raise Refused(400, "", "token name is too long")
            quota = body.get("remain_quota", 0)
            if not isinstance(quota, int) or quota < 0:
                raise Refused(400, "", "invalid quota")
            secret = "".join(secrets.choice(_LETTERS) for _ in range(48))
            key = self.add(Key(id=0, secret=secret, name=name, cap=None, created_at=self.now()))
            key.extra |= {"bad": fault == "bad_secret", "status": ENABLED, "group": body.get("group", "")}
            self._apply(key, body, fault)
            return self.good({**self._show(key), "key": key.secret}) if self.one else self.good()

        return await self.do("create", act)

    async def list_tokens(self, request: Request) -> Response:
        self._admit(request)

        def act(fault: str) -> Response:
            keys = self.newest_first()
            page = int(request.query_params.get("p", "0"))
            if self.one:
                return self.good([self._show(key) for key in keys[page * 10 : page * 10 + 10]])
            size = min(
                int(request.query_params.get("size", request.query_params.get("page_size", "10"))), 100
            )
            page = max(page, 1)
            part = keys[(page - 1) * size : page * size]
            items = [self._show(key) for key in part]
            return self.good({"items": items, "total": len(keys), "page": page, "page_size": size})

        return await self.do("list", act)

    async def search(self, request: Request) -> Response:
        self._admit(request)
        wanted = request.query_params.get("keyword", "")

        def act(fault: str) -> Response:
            keys = self.newest_first()
            found = [self._show(key) for key in keys if self._matches(key.name, wanted)]
            return self.good(
                found if self.one else {"items": found, "total": len(found), "page": 1, "page_size": 100}
            )

        return await self.do("search", act)

    async def one_token(self, request: Request) -> Response:
        return await self._with_key(request, "read", lambda key, fault: self.good(self._show(key)))

    async def secret(self, request: Request) -> Response:
        if self.one:
            raise Refused(404, "", "not found")
        self.secret_reads = [moment for moment in self.secret_reads if moment > self.now() - 60]
        if len(self.secret_reads) >= self.secrets_per_minute:
            raise Refused(429, "", "Too many requests")
        self.secret_reads.append(self.now())

        def act(key: Key, fault: str) -> Response:
            key.extra["bad"] = key.extra["bad"] or fault == "bad_secret"
            return self.good({"key": key.secret})

        return await self._with_key(request, "secret", act)

    async def update(self, request: Request) -> Response:
        self._admit(request)
        body = await read_body(request)
        only_status = request.query_params.get("status_only")

        def act(fault: str) -> Response:
            key = self.keys.get(body.get("id") or 0)
            if key is None:
                raise Refused(400, "", "record not found")
            if only_status:
                self._set_status(key, body)
            else:
                key.name = str(body.get("name", key.name))
                self._apply(key, body, fault)
            return self.good(self._show(key))

        op = "update" if not only_status else "resume" if body.get("status") == ENABLED else "suspend"
        return await self.do(op, act)

    async def delete(self, request: Request) -> Response:
        def act(key: Key, fault: str) -> Response:
            self.keys.pop(key.id, None)
            return self.good()

        return await self._with_key(request, "delete", act)

    # --- asked with the sold key itself ---

    async def token_usage(self, request: Request) -> Response:
        key = self.by_secret(key_of(request))
        if key is None or self.one:
            return JSONResponse({"success": False, "message": "No Authorization header"}, 401)
        if key.blocked:
            return JSONResponse({"success": False, "message": "token is disabled"}, 401)
        data = {
            "object": "token_usage",
            "name": key.name,
            "total_granted": self.quota(key.cap),
            "total_used": self.quota(key.used),
            "total_available": max(self.quota(key.cap) - self.quota(key.used), 0),
            "unlimited_quota": key.cap is None,
            "model_limits": dict.fromkeys(key.models, True),
            "model_limits_enabled": bool(key.models),
            "expires_at": int(key.expires_at) if key.expires_at else 0,
        }
        return JSONResponse({"code": True, "message": "ok", "data": data})

    async def subscription(self, request: Request) -> Response:
        key = self.find_user(request)
        total = (key.cap or 100_000_000_000) / 1_000_000
        limits = dict.fromkeys(("soft_limit_usd", "hard_limit_usd", "system_hard_limit_usd"), total)
        until = int(key.expires_at) if key.expires_at else 0
        shown = {"object": "billing_subscription", "has_payment_method": True, "access_until": until}
        return JSONResponse({**shown, **limits})

    async def usage(self, request: Request) -> Response:
        key = self.find_user(request)
        return JSONResponse({"object": "list", "total_usage": key.used / 10_000})

    # --- inside ---

    def _admit(self, request: Request) -> None:
        token = request.headers.get("authorization", "")
        if token.removeprefix("Bearer ") != self.admin:
            raise Refused(401, "", "Unauthorized, invalid access token", code="AUTH_UNAUTHORIZED")
        if not self.one and request.headers.get("new-api-user") != str(self.user):
            raise Refused(401, "", "Unauthorized, New-Api-User does not match", code="AUTH_USER_MISMATCH")

    async def _with_key(self, request: Request, op: str, act: Callable[[Key, str], Response]) -> Response:
        self._admit(request)

        def found(fault: str) -> Response:
            key = self.keys.get(request.path_params["id"])
            if key is None and fault != "twice":
                raise Refused(400, "", "record not found")
            return act(key, fault) if key is not None else self.good()

        return await self.do(op, found)

    def _matches(self, name: str, wanted: str) -> bool:
        if self.one:
            return name.startswith(wanted)
        return name.startswith(wanted.rstrip("%")) if wanted.endswith("%") else name == wanted

    def _set_status(self, key: Key, body: dict[str, Any]) -> None:
        status = body.get("status")
        if status == ENABLED and key.cap is not None and key.used >= key.cap:
            raise Refused(400, "", "the token quota is used up; raise it first")
        key.blocked = status != ENABLED
        key.extra["status"] = status

    def _apply(self, key: Key, body: dict[str, Any], fault: str) -> None:
        """The whole object is written: what is left out becomes its zero value."""
        remain = int(body.get("remain_quota", 0))
        if fault == "short_cap":
            remain //= 2
        key.cap = None if body.get("unlimited_quota") else key.used + self.micro(remain)
        until = body.get("expired_time", -1)
        key.expires_at = None if until in (-1, 0) else float(until)
        loose = self.fork or fault == "drop_restrictions"
        named = body.get("models" if self.one else "model_limits") or ""
        enabled = self.one or body.get("model_limits_enabled")
        key.models = tuple(filter(None, named.split(","))) if enabled and not loose else ()
        key.extra["allow_ips"] = "" if loose else body.get("subnet" if self.one else "allow_ips") or ""

    def _show(self, key: Key) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "id": key.id,
            "user_id": self.user,
            "key": key.secret if self.one else f"{key.secret[:4]}**********{key.secret[-4:]}",
            "status": DISABLED if key.blocked else key.extra.get("status", ENABLED),
            "name": key.name,
            "created_time": int(key.created_at),
            "expired_time": int(key.expires_at) if key.expires_at else -1,
            "remain_quota": max(self.quota(key.cap) - self.quota(key.used), 0),
            "unlimited_quota": key.cap is None,
            "used_quota": self.quota(key.used),
        }
        if self.one:
            return {**shown, "models": ",".join(key.models), "subnet": key.extra["allow_ips"]}
        limits = {"model_limits_enabled": bool(key.models), "model_limits": ",".join(key.models)}
        return {**shown, **limits, "allow_ips": key.extra["allow_ips"], "group": key.extra["group"]}
