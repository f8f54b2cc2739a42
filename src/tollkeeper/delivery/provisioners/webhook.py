"""Keys in the operator's own system, asked by signed messages (Standard Webhooks, v1).

One address takes them all: ``POST <url>`` with JSON ``{"op": …, …}`` and the headers
``webhook-id``, ``webhook-timestamp`` and ``webhook-signature`` (HMAC-SHA256 over
``id.timestamp.body`` with our secret there, base 64). The answer is 200 with JSON:

``probe``                    ``{"version", "unit", "keeps": […], "wallet": micro or null}``
``provide`` ``{"key": …}``   ``{"key": …, "secret": …}``: looks the label up before it makes one
``find`` ``{"label"}``       ``{"keys": […]}``, exactly this label, oldest first
``list`` ``{"prefix", "after"}``  ``{"keys": […], "next": handle or null}``
``read``, ``suspend``, ``resume``, ``withdraw`` ``{"handle"}``   ``{"key": …}``
``write`` ``{"handle", "key": …}``  ``{"key": …}``

A key is ``{"handle", "label", "enabled", "cap", "used", "window", "resets_at", "ends_at", "models",
"ip_ranges", "requests_per_minute", "tokens_per_minute", "concurrency", "created_at"}``, amounts in
micro-units, instants in ISO 8601. ``unit`` is the money that amounts are in (``USD``), empty for
anything else. ``keeps`` names the fields that stay as written; the others need not be answered.
A clear no is 4xx with ``{"error": word}``; ``missing`` is a key that is not there.

It may tell by itself how keys are: ``POST <shop>/hooks/relays/<target>``, signed the same way with
the secret that the option ``push_secret`` names (an environment variable)::

    {"type": "keys.seen", "timestamp": <as of>, "data": {"target", "unit", "keys": […]}}
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from tollkeeper.core import webhooks
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
from tollkeeper.delivery.provisioners._relay import Relay, instant

KEEPS = frozenset(
    {"cap", "ends_at", "models", "ip_ranges", "requests_per_minute", "tokens_per_minute", "concurrency"}
)


class Webhook(Relay):
    """The operator's system. It keeps what it says it keeps, and that is compared."""

    name = "webhook"
    reads_secret = True
    keeps = KEEPS
    _asked = False

    def probe(self) -> Facts:
        """See the protocol."""
        answer = self._tell("probe")
        keeps = frozenset(map(str, answer.get("keeps", ()))) & KEEPS
        version, unit, wallet = (
            str(answer.get("version", "")),
            str(answer.get("unit", "")),
            answer.get("wallet"),
        )
        return Facts(version, unit, keeps, chooses_secret=False, reads_secret=True, wallet=wallet)

    def differs(self, seen: Seen, wish: Wish) -> tuple[str, ...]:
        """See the base. What is kept there it says itself; it is asked when it first matters."""
        if super().differs(seen, wish) and not self._asked:
            self._asked, self.keeps = True, self.probe().keeps
        return super().differs(seen, wish)

    def make(self, wish: Wish) -> tuple[str, str]:
        """Ask for the key; the other side looks it up before it makes one."""
        answer = self._tell("provide", key={"label": wish.label, "unit": wish.unit, **_terms(wish)})
        return str(self._key(answer).handle), str(answer.get("secret") or "")

    def secret_of(self, seen: Seen, wish: Wish) -> str:
        """Said again for the same label."""
        answer = self._tell("provide", key={"label": wish.label, "unit": wish.unit, **_terms(wish)})
        return str(answer.get("secret") or "") if self._key(answer).handle == seen.handle else ""

    def write(self, seen: Seen, wish: Wish) -> None:
        """Write over what is there."""
        self._tell("write", handle=seen.handle, key=_terms(wish))

    def works(self, secret: str) -> bool:
        """The other side tries the key itself."""
        return self._tell("prove", secret=secret).get("works") is True

    def find(self, label: str) -> tuple[Seen, ...]:
        """See the protocol."""
        return tuple(self._seen(row) for row in self._tell("find", label=label)["keys"])

    def read(self, handle: str) -> Seen:
        """See the protocol."""
        return self._key(self._tell("read", handle=handle))

    def set_enabled(self, handle: str, *, enabled: bool) -> None:
        """See the base."""
        self._tell("resume" if enabled else "suspend", handle=handle)

    def remove(self, handle: str) -> None:
        """See the base."""
        self._tell("withdraw", handle=handle)

    def list(self, prefix: str) -> Iterator[Seen]:
        """See the protocol."""
        after: Any = None
        while True:
            answer = self._tell("list", prefix=prefix, after=after)
            yield from (self._seen(row) for row in answer["keys"])
            after = answer.get("next")
            if after is None:
                return

    def pushed(self, headers: Mapping[str, str], body: bytes, word: str) -> Push:
        """See the protocol. What is said is as of ``timestamp``, so saying it again changes nothing."""
        if not self.door.push_secret:
            raise BadPush(404, "nothing is expected from there")
        try:
            webhooks.verify(self.door.push_secret, headers, body, self.clock().timestamp())
        except webhooks.BadSignature as bad:
            raise BadPush(401, str(bad)) from None
        try:
            message = json.loads(body)
            data, as_of = message["data"], instant(message["timestamp"])
            if message["type"] != "keys.seen" or data["target"] != self.target.name or as_of is None:
                raise BadPush(400, "the message is not about keys of this target")
            if as_of > self.clock() + dt.timedelta(seconds=webhooks.TOLERANCE_S):
                raise BadPush(400, "the message is about later")
            keys = [replace(self._seen(row), as_of=as_of) for row in data["keys"]]
            return Push(str(data["unit"]), tuple(Pushed(seen.handle, seen) for seen in keys))
        except (ValueError, KeyError, TypeError, AttributeError, Unsure) as error:
            raise BadPush(400, f"the message cannot be read: {type(error).__name__}") from None

    def _tell(self, op: str, **given: Any) -> dict[str, Any]:
        body = {"op": op, **given}
        moment = self.clock()
        text = json.dumps(body, separators=(",", ":"), sort_keys=True)
        name = "msg_" + hashlib.sha256(f"{text}{moment.timestamp()}".encode()).hexdigest()[:24]
        stamp = int(moment.timestamp())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(stamp),
            "webhook-signature": webhooks.sign(self.door.credential, name, stamp, text.encode()),
        }
        reply = self._http("POST", self.target.url, headers=headers, body=text.encode())
        if reply.status >= 500 or reply.status == 429:
            raise Unsure(f"{op} answered {reply.status}")
        answer = reply.json()
        if not isinstance(answer, dict):
            raise Unsure(f"{op} was not answered with an object")
        if reply.status == 401:
            raise Refused("credential", "the signature was not accepted")
        if "error" in answer:
            if answer["error"] == "missing":
                raise Missing
            if reply.status == 200:
                raise Unsure(f"{op} was answered with an error and status 200")
            raise Refused("bad_request", str(answer["error"])[:80])
        return answer

    def _key(self, answer: dict[str, Any]) -> Seen:
        if not isinstance(answer.get("key"), dict):
            raise Unsure("an answer lacks its key")
        return self._seen(answer["key"])

    def _seen(self, row: dict[str, Any]) -> Seen:
        try:
            return Seen(
                handle=str(row["handle"]),
                label=str(row["label"]),
                enabled=bool(row["enabled"]),
                cap=_whole(row["cap"]),
                used=_whole(row["used"]),
                as_of=self.clock(),
                ends_at=instant(row.get("ends_at")),
                models=tuple(row.get("models") or ()),
                ip_ranges=tuple(row.get("ip_ranges") or ()),
                requests_per_minute=int(row.get("requests_per_minute") or 0),
                tokens_per_minute=int(row.get("tokens_per_minute") or 0),
                concurrency=int(row.get("concurrency") or 0),
                created_at=instant(row.get("created_at")),
                window=str(row.get("window") or ""),
                resets_at=instant(row.get("resets_at")),
            )
        except KeyError as error:
            raise Unsure(f"a key lacks {error}") from None
        except (TypeError, ValueError) as error:
            raise Unsure(f"a key cannot be read: {error}") from None


def _whole(amount: Any) -> int | None:
    """Micro-units; raises ``TypeError`` for what is no whole number."""
    if amount is not None and (not isinstance(amount, int) or isinstance(amount, bool) or amount < 0):
        raise TypeError(f"{amount!r} is no amount in micro-units")
    return amount


def _terms(wish: Wish) -> dict[str, Any]:
    return {
        "cap": wish.cap,
        "ends_at": wish.ends_at.isoformat() if wish.ends_at else None,
        "models": list(wish.models),
        "ip_ranges": list(wish.ip_ranges),
        "requests_per_minute": wish.requests_per_minute,
        "tokens_per_minute": wish.tokens_per_minute,
        "concurrency": wish.concurrency,
    }


def build(door: Door) -> Provisioner:
    """A provisioner for the system behind this door."""
    return Webhook(door)
