"""What all relays share: keys, a clock that can be moved, faults, and chat that costs."""

from __future__ import annotations

import copy
import datetime as dt
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from samples.llm import chat, messages, responses, shapes
from samples.llm import faults as llm_faults
from samples.llm.app import key_of, read_body
from samples.llm.shapes import Refused
from samples.relays import faults
from samples.relays.faults import Act, BadFault, Fault, Faults

PRICES = {
    "tern-1": (500_000, 1_500_000),
    "tern-1-mini": (100_000, 400_000),
    "heron-1": (3_000_000, 15_000_000),
}
"""Model → micro-dollars per million tokens in and out."""


_FORMS: dict[str, Any] = {"completions": chat, "responses": responses, "messages": messages}


@dataclass(slots=True)
class Key:
    """A key at a relay. Money is in whole micro-dollars; ``cap`` None is no cap."""

    id: int
    secret: str
    name: str
    cap: int | None
    created_at: float
    expires_at: float | None = None
    blocked: bool = False
    spent: int = 0
    """What the relay shows."""
    pending: int = 0
    """What was used and is not shown yet."""
    models: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def used(self) -> int:
        return self.spent + self.pending


class Unusable(Exception):
    """A sold key that may not be used now; each relay says it in its own way."""

    def __init__(self, why: str, key: Key | None = None) -> None:
        super().__init__(why)
        self.why, self.key = why, key


class Relay:
    """The base of all stand-ins. ``admin`` is the secret of whoever runs the shop there."""

    chat_paths: tuple[str, ...] = ("/v1/chat/completions",)
    other_forms: tuple[str, ...] = ()
    """Paths beside chat's that end in ``responses`` or ``messages``."""
    spend_delay_s = 0.0
    """How long spend stays invisible."""

    def __init__(self, admin: str) -> None:
        self.admin = admin
        self.faults = Faults()
        self.keys: dict[int, Key] = {}
        self.next_id = 1
        self.offset_s = 0.0
        self.flushed_at = self.now()
        self.unshown: set[int] = set()
        """Keys with spend that is not shown yet."""
        self.calls: list[tuple[float, int, int]] = []
        """When, which key, what it cost."""
        self.app = Starlette(
            routes=[*self.routes(), *self._common()],
            exception_handlers={
                Refused: self._on_refused,
                Unusable: self._on_unusable,
                BadFault: _on_bad_fault,
            },
        )

    # --- what each relay brings ---

    def routes(self) -> list[Route]:
        raise NotImplementedError

    def refused(self, error: Refused) -> Response:
        """An error of administration, in the relay's form."""
        raise NotImplementedError

    def unusable(self, error: Unusable) -> Response:
        """A refusal of chat, in the relay's form."""
        raise NotImplementedError

    def charge(self, key: Key, cost: int) -> None:
        """Book what a chat cost, in micro-dollars."""
        key.pending += cost

    # --- time ---

    def now(self) -> float:
        """Seconds since the epoch on this relay's clock."""
        return time.time() + self.offset_s

    def stamp(self, moment: float | None) -> str | None:
        """ISO 8601 in UTC."""
        if moment is None:
            return None
        return dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"

    def flush(self) -> None:
        """Show the spend that is old enough."""
        if self.now() - self.flushed_at >= self.spend_delay_s:
            for key in filter(None, map(self.keys.get, self.unshown)):
                key.spent, key.pending = key.spent + key.pending, 0
            self.unshown.clear()
            self.flushed_at = self.now()

    # --- administration ---

    async def do(self, op: str, act: Act) -> Response:
        """Run an operation under the faults planned for it."""
        fault = self.faults.draw(op)
        self.flush()
        if fault is None:  # the usual: nothing to be undone, and there may be many keys
            return act("")
        kept, number = copy.deepcopy(self.keys), self.next_id

        def undo() -> None:
            self.keys, self.next_id = kept, number

        return await faults.run(fault, act, undo)

    def newest_first(self) -> list[Key]:
        """All keys, as lists show them."""
        return list(self.keys.values())[::-1]

    def stock(self, count: int, prefix: str) -> None:
        """Begin with many keys, named ``<prefix><n>-1`` and with secrets that :func:`stocked` says."""
        for n in range(1, count + 1):
            key = Key(0, stocked(n), f"{prefix}{n}-1", 10_000_000, self.now() - 86_400, spent=n % 1000)
            key.extra.update(STOCK_EXTRA)
            self.add(key)

    def add(self, key: Key) -> Key:
        """Store a new key under the next id."""
        key.id = self.next_id
        self.next_id += 1
        self.keys[key.id] = key
        return key

    def by_secret(self, secret: str) -> Key | None:
        return next((key for key in self.keys.values() if key.secret == secret), None)

    # --- chat with a sold key ---

    def find_user(self, request: Request) -> Key:
        """The usable key of a chat call; raises :class:`Unusable`."""
        key = self.by_secret(key_of(request))
        if key is None or key.extra.get("bad"):
            raise Unusable("unknown")
        if key.blocked:
            raise Unusable("blocked", key)
        if key.expires_at is not None and key.expires_at <= self.now():
            raise Unusable("expired", key)
        if key.cap is not None and key.used >= key.cap:
            raise Unusable("spent", key)
        return key

    async def chat(self, request: Request) -> Response:
        self.flush()
        key = self.find_user(request)
        form = _FORMS[request.url.path.rpartition("/")[2]]
        asked = form.read(
            await read_body(request), llm_faults.parse(request.headers.get(llm_faults.HEADER, ""))
        )
        if key.models and asked.model not in key.models:
            raise Unusable("model", key)
        cost_in, cost_out = PRICES.get(asked.model, (0, 0))
        used = asked.used or shapes.Usage(0, 0)
        cost = -(-(used.prompt * cost_in + used.answer * cost_out) // 1_000_000)
        if not asked.stream:
            self._book(key, cost)
            return JSONResponse(form.whole(asked))

        async def stream() -> AsyncIterator[bytes]:
            for piece in form.stream(asked):
                yield piece
            self._book(key, cost)

        return StreamingResponse(stream(), media_type="text/event-stream")

    def _book(self, key: Key, cost: int) -> None:
        self.calls.append((self.now(), key.id, cost))
        self.charge(key, cost)
        self.unshown.add(key.id)

    # --- the stand-in's own controls ---

    def _common(self) -> list[Route]:
        return [
            Route("/", self._state),
            Route("/_state", self._state),
            Route("/_faults", self._set_faults, methods=["PUT"]),
            Route("/_use", self._set_use, methods=["PUT"]),
            Route("/_clock", self._set_clock, methods=["PUT"]),
            *(Route(path, self.chat, methods=["POST"]) for path in (*self.chat_paths, *self.other_forms)),
        ]

    async def _state(self, request: Request) -> Response:
        """What is really there: for tests, not part of any relay's API."""
        self.flush()
        shown = [
            {"id": k.id, "name": k.name, "cap": k.cap, "used": k.used, "blocked": k.blocked}
            for k in self.keys.values()
        ]
        return JSONResponse({"relay": type(self).__name__, "keys": shown, "called": self.faults.called})

    async def _set_faults(self, request: Request) -> Response:
        """``PUT /_faults``: ``{"faults": [{"op": "create", "do": "cut_after"}]}`` replaces the plan."""
        planned = (await read_body(request)).get("faults", [])
        try:
            made = [Fault(**item) for item in planned]
        except TypeError as error:
            raise BadFault(str(error)) from None
        self.faults.clear()
        self.faults.plan(*made)
        return JSONResponse({"planned": len(made)})

    async def _set_use(self, request: Request) -> Response:
        """``PUT /_use``: ``{"every": 10, "micro": 500}`` adds use to every tenth key."""
        asked = await read_body(request)
        keys = list(self.keys.values())[:: int(asked["every"])]
        for key in keys:
            key.spent += int(asked["micro"])
        return JSONResponse({"used": len(keys)})

    async def _set_clock(self, request: Request) -> Response:
        self.offset_s = float((await read_body(request)).get("offset_s", 0))
        return JSONResponse({"now": self.stamp(self.now())})

    async def _on_refused(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return self.refused(error)

    async def _on_unusable(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, Unusable)
        return self.unusable(error)


async def _on_bad_fault(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": {"message": str(error)}}, 400)


STOCK_EXTRA = {"allow_ips": "", "group": "", "bad": False}


def stocked(number: int) -> str:
    """The secret of a key that was there from the beginning."""
    return f"sk-stock{number:040d}"


def usd(micro: int | None) -> float | None:
    """Micro-dollars as relays show them: a float."""
    return None if micro is None else micro / 1_000_000
