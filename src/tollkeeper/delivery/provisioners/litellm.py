"""Keys at a LiteLLM proxy. We choose secret and alias; what it echoes is not believed, only what it reads.

Options of the target: ``spend_delay_s``, how late spend may show there; ``push_secret``, the
environment variable with the secret by which its budget alerts are known. The proxy is given
``WEBHOOK_URL=https://<shop>/hooks/relays/<target>?secret=<secret>``.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tollkeeper.delivery.provisioners import (
    BadPush,
    Door,
    Facts,
    Missing,
    Provisioner,
    Push,
    Pushed,
    Refused,
    Seen,
    Unsure,
    Wish,
)
from tollkeeper.delivery.provisioners._relay import Relay, from_usd, instant, to_usd

PAGE = 100
SPEND_DELAY_S = 60.0
"""Spend is written in batches: every 10 s by default, 60 s is advised (``proxy_batch_write_at``)."""


class LiteLLM(Relay):
    """``POST /key/*`` with the proxy's admin key. A key is named by the SHA-256 of its secret."""

    name = "litellm"
    keeps = frozenset({"cap", "ends_at", "models", "requests_per_minute", "tokens_per_minute", "concurrency"})
    serves = frozenset({"chat", "responses", "messages"})
    chooses_secret = True
    reads_secret = True

    def __init__(self, door: Door) -> None:
        super().__init__(door)
        said = self.target.options.get("spend_delay_s", "")
        try:
            self.spend_delay_s = float(said) if said else SPEND_DELAY_S
        except ValueError:
            raise Refused("bad_option", f"spend_delay_s is no number: {said!r}") from None

    def probe(self) -> Facts:
        """See the protocol; a proxy without its database cannot keep keys."""
        reply = self.ask("GET", "/health/readiness")
        state = reply.json()
        if state.get("db") != "connected":
            raise Refused("no_database", "the proxy has no database, so it keeps no keys")
        version = str(state.get("litellm_version", ""))
        return Facts(
            version, "USD", self.keeps, chooses_secret=True, reads_secret=True, skew_s=self.skew(reply)
        )

    def make(self, wish: Wish) -> tuple[str, str]:
        """Make the key under the secret that we chose; a repeat is harmless."""
        body = {"key": wish.secret, "key_alias": wish.label, "metadata": {"label": wish.label}}
        reply = self.ask("POST", "/key/generate", {**body, **self._terms(wish)})
        if reply.status == 200:
            reply.json()
            return handle_of(wish.secret), wish.secret
        text = _text(reply.json())
        try:
            self.read(handle_of(wish.secret))
        except Missing:
            taken = "alias" in text
            raise Refused("label_taken" if taken else "bad_request", text) from None
        return handle_of(wish.secret), wish.secret

    def secret_of(self, seen: Seen, wish: Wish) -> str:
        """Ours, if the key that is there was made with it."""
        return wish.secret if seen.handle == handle_of(wish.secret) else ""

    def write(self, seen: Seen, wish: Wish) -> None:
        """Write over what is there."""
        self._done(self.ask("POST", "/key/update", {"key": seen.handle, **self._terms(wish)}))

    def works(self, secret: str) -> bool:
        """The list of models is let see by any good key, and costs nothing."""
        return self.ask("GET", "/v1/models", secret=secret).status == 200

    def find(self, label: str) -> tuple[Seen, ...]:
        """By alias; it is unique there."""
        return tuple(seen for seen in self._pages(key_alias=label) if seen.label == label)

    def read(self, handle: str) -> Seen:
        """See the protocol."""
        reply = self.ask("GET", "/key/info", query={"key": handle})
        if reply.status == 404:
            raise Missing
        info = self._done(reply)["info"]
        if info.get("deleted_at"):  # newer releases answer from an archive of deleted keys
            raise Missing
        return self._seen(info, handle)

    def set_enabled(self, handle: str, *, enabled: bool) -> None:
        """See the base."""
        reply = self.ask("POST", "/key/unblock" if enabled else "/key/block", {"key": handle})
        if reply.status == 404:
            raise Missing
        self._done(reply)

    def remove(self, handle: str) -> None:
        """See the base."""
        reply = self.ask("POST", "/key/delete", {"keys": [handle]})
        if reply.status == 404:
            raise Missing
        self._done(reply)

    def list(self, prefix: str) -> Iterator[Seen]:
        """See the protocol."""
        return (seen for seen in self._pages() if seen.label.startswith(prefix))

    def pushed(self, headers: Mapping[str, str], body: bytes, word: str) -> Push:
        """See the protocol: the proxy's budget alerts (``alerting: ["webhook"]``), which it does not sign.

        It cannot send a header of ours either, so the secret stands in the address that it is
        given. What an alert says of spend is not believed: it makes us look, so that one sent
        again does no harm.
        """
        if not self.door.push_secret:
            raise BadPush(404, "nothing is expected from there")
        if not hmac.compare_digest(self.door.push_secret.encode(), word.encode()):
            raise BadPush(401, "the secret in the address does not hold")
        try:
            alert = json.loads(body)
            key = alert["token"] if alert["event_group"] == "key" else None
        except (ValueError, KeyError, TypeError):
            raise BadPush(400, "the message is no budget alert") from None
        return Push("USD", (Pushed(str(key)),) if key else ())

    def _pages(self, **filters: str) -> Iterator[Seen]:
        page = 1
        while True:
            query = {"page": str(page), "size": str(PAGE), "return_full_object": "true", **filters}
            answer = self._done(self.ask("GET", "/key/list", query=query))
            for info in answer["keys"]:
                yield self._seen(info, str(info["token"]))
            if page >= int(answer.get("total_pages", 1)):
                return
            page += 1

    def _terms(self, wish: Wish) -> dict[str, Any]:
        left = None if wish.ends_at is None else max(1, int((wish.ends_at - self.clock()).total_seconds()))
        return {
            "max_budget": to_usd(wish.cap),
            "duration": "-1" if left is None else f"{left}s",
            "models": list(wish.models),
            "rpm_limit": wish.requests_per_minute or None,
            "tpm_limit": wish.tokens_per_minute or None,
            "max_parallel_requests": wish.concurrency or None,
        }

    def _seen(self, info: dict[str, Any], handle: str) -> Seen:
        return Seen(
            handle=handle,
            label=info.get("key_alias") or "",
            enabled=not info.get("blocked"),
            cap=from_usd(info.get("max_budget")),
            used=from_usd(info.get("spend")),
            as_of=self.clock(),
            ends_at=instant(info.get("expires")),
            models=tuple(info.get("models") or ()),
            requests_per_minute=info.get("rpm_limit") or 0,
            tokens_per_minute=info.get("tpm_limit") or 0,
            concurrency=info.get("max_parallel_requests") or 0,
            created_at=instant(info.get("created_at")),
            window=info.get("budget_duration") or "",
            resets_at=instant(info.get("budget_reset_at")),
            delay_s=self.spend_delay_s,
        )

    def _done(self, reply: Any) -> dict[str, Any]:
        answer = reply.json()
        if reply.status != 200:
            raise Refused("bad_request", _text(answer))
        if not isinstance(answer, dict) or "error" in answer:
            raise Unsure("an answer with status 200 is an error")
        return answer


def handle_of(secret: str) -> str:
    """How the proxy names a key."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _text(answer: Any) -> str:
    error = answer.get("error") if isinstance(answer, dict) else None
    return str(error.get("message", "")) if isinstance(error, dict) else str(error or "")


def build(door: Door) -> Provisioner:
    """A provisioner for the proxy behind this door."""
    return LiteLLM(door)
