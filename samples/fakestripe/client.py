"""The engine as a transport of the SDK, for tests: no socket, the same code path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import stripe

from samples.fakestripe.engine import Engine, Lost


class InProcess(stripe.HTTPClient):
    """Hands requests to an :class:`Engine`; a lost answer is a broken connection."""

    name = "in_process"

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = engine

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        """One request, as the SDK asks for it."""
        try:
            status, text, extra = self.engine.serve(method, url, headers or {}, post_data or "")
        except Lost as error:
            raise stripe.APIConnectionError(  # type: ignore[no-untyped-call]
                "the answer was lost", should_retry=True
            ) from error
        return text, status, extra

    async def request_async(  # type: ignore[override]
        self, *args: Any, **kwargs: Any
    ) -> tuple[str, int, Mapping[str, str]]:
        """The same."""
        return self.request(*args, **kwargs)

    def _sleep_time_seconds(self, *args: Any, **kwargs: Any) -> float:
        return 0.0  # tests do not wait between tries

    def close(self) -> None:
        """Nothing is open."""

    async def close_async(self) -> None:
        """Nothing is open."""
