"""How a relay breaks: for one operation, once or more often, before or after it took effect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

DEEDS = {
    "cut_before": "the connection breaks and nothing was done",
    "cut_after": "it was done, but the connection breaks before the answer",
    "delay": "it was done, and the answer comes `seconds` later",
    "twice": "it is done two times, as by a proxy that repeats",
    "forget": "the answer says done, and nothing was",
    "html": "a page of HTML with status 200, nothing was done",
    "html_after": "it was done, then a page of HTML with status 200",
    "status": "an error with `status`, nothing was done",
    "status_after": "it was done, then an error with `status`",
    "error_200": "status 200 with an error in the body, nothing was done",
    "drop_restrictions": "restrictions that were asked for are silently left out",
    "bad_secret": "the secret that is handed out does not work",
    "short_cap": "the cap that is stored is half of what was asked",
}


class Cut(ConnectionError):
    """Breaks the connection."""


class Broken(Response):
    """An answer that breaks off after its first byte: no framework can turn that into a clean 500."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        raise Cut


class BadFault(ValueError):
    """A fault that does not exist; the text says which."""


@dataclass(slots=True)
class Fault:
    """``skip`` calls of ``op`` go well, then ``times`` do not."""

    op: str
    do: str
    skip: int = 0
    times: int = 1
    seconds: float = 0.0
    status: int = 500

    def __post_init__(self) -> None:
        if self.do not in DEEDS:
            raise BadFault(f"there is no fault {self.do!r}; there are: {', '.join(DEEDS)}")


class Faults:
    """The faults still to come, and how often each operation was called."""

    def __init__(self) -> None:
        self.waiting: list[Fault] = []
        self.called: dict[str, int] = {}

    def plan(self, *faults: Fault) -> None:
        """Let these happen, beside those already planned."""
        self.waiting.extend(faults)

    def clear(self) -> None:
        self.waiting.clear()

    def draw(self, op: str) -> Fault | None:
        """The fault of this call, if it is its turn."""
        self.called[op] = self.called.get(op, 0) + 1
        for fault in self.waiting:
            if fault.op in (op, "*"):
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    self.waiting.remove(fault)
                return fault
        return None


Act = Callable[[str], Response]
"""Does the operation; is told the fault's name, for those that change what is done."""


async def run(fault: Fault | None, act: Act, undo: Callable[[], object]) -> Response:
    """Do an operation under its fault. ``undo`` restores what was before, for ``forget``."""
    before = {"cut_before", "html", "status", "error_200"}
    if fault is None:
        return act("")
    if fault.do in before:
        return _instead(fault)
    answer = act(fault.do)
    if fault.do == "twice":
        answer = act(fault.do)
    if fault.do == "forget":
        undo()
    if fault.do == "delay":
        await asyncio.sleep(fault.seconds)
    if fault.do in ("cut_after", "html_after", "status_after"):
        return _instead(fault)
    return answer


def _instead(fault: Fault) -> Response:
    if fault.do.startswith("cut"):
        return Broken()
    if fault.do.startswith("html"):
        return Response("<html><body><h1>Checking your browser</h1></body></html>", media_type="text/html")
    if fault.do == "error_200":
        body = '{"success": false, "message": "internal error", "error": {"message": "internal error"}}'
        return Response(body, media_type="application/json")
    return Response('{"error": {"message": "told to fail"}}', fault.status, media_type="application/json")
