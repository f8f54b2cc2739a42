"""Keys at OpenRouter. The secret is said once: a key whose answer was lost is taken away and made anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tollkeeper.delivery.provisioners import (
    Door,
    Facts,
    Missing,
    Provisioner,
    Refused,
    Reply,
    Seen,
    Unsure,
    Wish,
)
from tollkeeper.delivery.provisioners._relay import Relay, from_usd, instant, to_usd

PAGE = 100
KEYS = "/api/v1/keys"


class OpenRouter(Relay):
    """``/api/v1/keys`` with a management key, which can call no model itself.

    An end cannot be changed there once it is set, so none is set: our sweeper takes
    keys away in time.
    """

    name = "openrouter"
    keeps = frozenset({"cap"})
    serves = frozenset({"chat", "responses", "messages"})

    def probe(self) -> Facts:
        """See the protocol."""
        reply = self.ask("GET", KEYS, query={"offset": "0"})
        self._data(reply)
        skew, wallet = self.skew(reply), self._wallet()
        return Facts(
            "v1", "USD", self.keeps, chooses_secret=False, reads_secret=False, wallet=wallet, skew_s=skew
        )

    def _wallet(self) -> int | None:
        """What was bought and is not used; None if this key may not see it."""
        try:
            credits = self._data(self.ask("GET", "/api/v1/credits"))
        except Refused:
            return None
        return from_usd(float(credits["total_credits"]) - float(credits["total_usage"]))

    def make(self, wish: Wish) -> tuple[str, str]:
        """Make the key; its secret is in this answer and nowhere else."""
        reply = self.ask("POST", KEYS, {"name": wish.label, "limit": to_usd(wish.cap)})
        made = self._data(reply)
        secret = reply.json().get("key")
        if not secret or not made.get("hash"):
            raise Unsure("a key was made and its answer lacks the secret")
        return str(made["hash"]), str(secret)

    def secret_of(self, seen: Seen, wish: Wish) -> str:
        """Nobody can say it any more."""
        return ""

    def write(self, seen: Seen, wish: Wish) -> None:
        """Write the cap over what is there."""
        self._data(self.ask("PATCH", f"{KEYS}/{seen.handle}", {"limit": to_usd(wish.cap)}))

    def works(self, secret: str) -> bool:
        """A key may ask about itself."""
        return self.ask("GET", "/api/v1/key", secret=secret).status == 200

    def find(self, label: str) -> tuple[Seen, ...]:
        """By name, over all pages; names need not be unique there."""
        found = [seen for seen in self._pages() if seen.label == label]
        return tuple(sorted(found, key=lambda seen: (seen.created_at or seen.as_of, seen.handle)))

    def read(self, handle: str) -> Seen:
        """See the protocol."""
        return self._seen(self._data(self.ask("GET", f"{KEYS}/{handle}")))

    def set_enabled(self, handle: str, *, enabled: bool) -> None:
        """See the base."""
        self._data(self.ask("PATCH", f"{KEYS}/{handle}", {"disabled": not enabled}))

    def remove(self, handle: str) -> None:
        """See the base."""
        reply = self.ask("DELETE", f"{KEYS}/{handle}")
        if reply.status == 404:
            raise Missing
        if reply.json().get("deleted") is not True:
            raise Unsure("a key was to be taken away and the answer does not say so")

    def list(self, prefix: str) -> Iterator[Seen]:
        """See the protocol."""
        return (seen for seen in self._pages() if seen.label.startswith(prefix))

    def _pages(self) -> Iterator[Seen]:
        offset = 0
        while True:
            query = {"offset": str(offset), "include_disabled": "true"}
            rows = self._data(self.ask("GET", KEYS, query=query))
            for row in rows:
                yield self._seen(row)
            if len(rows) < PAGE:
                return
            offset += PAGE

    def _seen(self, row: dict[str, Any]) -> Seen:
        return Seen(
            handle=str(row["hash"]),
            label=row.get("name") or "",
            enabled=not row.get("disabled"),
            cap=from_usd(row.get("limit")),
            used=from_usd(row.get("usage")),
            as_of=self.clock(),
            ends_at=instant(row.get("expires_at")),
            created_at=instant(row.get("created_at")),
            window=row.get("limit_reset") or "",
        )

    def _data(self, reply: Reply) -> Any:
        if reply.status == 404:
            raise Missing
        answer = reply.json()
        if reply.status >= 400:
            error = answer.get("error") if isinstance(answer, dict) else None
            raise Refused("bad_request", str(error.get("message", "")) if isinstance(error, dict) else "")
        if not isinstance(answer, dict) or "data" not in answer:
            raise Unsure(f"an answer with status {reply.status} has no data")
        return answer["data"]


def build(door: Door) -> Provisioner:
    """A provisioner for the account behind this door."""
    return OpenRouter(door)
