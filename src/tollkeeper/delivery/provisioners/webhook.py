"""Keys in the operator's own system, asked by signed messages (Standard Webhooks, v1).

One address takes them all: ``POST <url>`` with JSON ``{"op": …, …}`` and the headers
``webhook-id``, ``webhook-timestamp`` and ``webhook-signature`` (HMAC-SHA256 over
``id.timestamp.body`` with our secret there, base 64). The answer is 200 with JSON:

``probe``                    ``{"version", "keeps": […], "wallet": micro or null}``
``provide`` ``{"key": …}``   ``{"key": …, "secret": …}``: looks the label up before it makes one
``find`` ``{"label"}``       ``{"keys": […]}``, exactly this label, oldest first
``list`` ``{"prefix", "after"}``  ``{"keys": […], "next": handle or null}``
``read``, ``suspend``, ``resume``, ``withdraw`` ``{"handle"}``   ``{"key": …}``
``write`` ``{"handle", "key": …}``  ``{"key": …}``

A key is ``{"handle", "label", "enabled", "cap", "used", "ends_at", "models", "ip_ranges",
"requests_per_minute", "created_at"}``, amounts in micro-units, instants in ISO 8601. A clear
no is 4xx with ``{"error": word}``; ``missing`` is a key that is not there.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any

from tollkeeper.delivery.provisioners import Door, Facts, Missing, Provisioner, Refused, Seen, Unsure, Wish
from tollkeeper.delivery.provisioners._relay import Relay, instant


class Webhook(Relay):
    """The operator's system. It keeps what it says it keeps, and that is compared."""

    name = "webhook"
    reads_secret = True
    keeps = frozenset({"cap", "ends_at", "models", "ip_ranges", "requests_per_minute"})

    def probe(self) -> Facts:
        """See the protocol."""
        answer = self._tell("probe")
        keeps = frozenset(map(str, answer.get("keeps", ()))) & self.keeps
        version = str(answer.get("version", ""))
        return Facts(version, "", keeps, chooses_secret=False, reads_secret=True, wallet=answer.get("wallet"))

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

    def _tell(self, op: str, **given: Any) -> dict[str, Any]:
        body = {"op": op, **given}
        moment = self.clock()
        text = json.dumps(body, separators=(",", ":"), sort_keys=True)
        name = "msg_" + hashlib.sha256(f"{text}{moment.timestamp()}".encode()).hexdigest()[:24]
        stamp = str(int(moment.timestamp()))
        headers = {
            "Content-Type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": stamp,
            "webhook-signature": sign(self.door.credential, name, stamp, text.encode()),
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
                cap=row["cap"],
                used=row["used"],
                as_of=self.clock(),
                ends_at=instant(row.get("ends_at")),
                models=tuple(row.get("models") or ()),
                ip_ranges=tuple(row.get("ip_ranges") or ()),
                requests_per_minute=int(row.get("requests_per_minute") or 0),
                created_at=instant(row.get("created_at")),
            )
        except KeyError as error:
            raise Unsure(f"a key lacks {error}") from None


def _terms(wish: Wish) -> dict[str, Any]:
    return {
        "cap": wish.cap,
        "ends_at": wish.ends_at.isoformat() if wish.ends_at else None,
        "models": list(wish.models),
        "ip_ranges": list(wish.ip_ranges),
        "requests_per_minute": wish.requests_per_minute,
    }


def sign(secret: str, name: str, stamp: str, body: bytes) -> str:
    """``v1,<base 64>`` over ``name.stamp.body``; a secret that begins ``whsec_`` is base 64 itself."""
    key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
    mark = hmac.new(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(mark).decode()}"


def build(door: Door) -> Provisioner:
    """A provisioner for the system behind this door."""
    return Webhook(door)
