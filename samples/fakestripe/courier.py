"""Events on their way to the endpoint: signed, retried, and as unreliable as one wishes."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

from samples.fakestripe.store import Row, Store

RETRIES_S = (0.5, 1, 2, 4, 8, 16, 32, 64, 128)
"""Waits between tries; Stripe takes days, a demo has minutes."""


@dataclass
class Knobs:
    """What goes wrong, as probabilities from 0 to 1; ``delay_s`` waits up to so long."""

    duplicate: float = 0.0
    drop: float = 0.0
    reorder: float = 0.0
    fail: float = 0.0
    delay_s: float = 0.0

    def set(self, wanted: dict[str, Any]) -> None:
        """Turn knobs; raises ``ValueError`` for an unknown one or a value out of range."""
        known = {field.name for field in fields(self)}
        for name, value in wanted.items():
            top = 600 if name == "delay_s" else 1
            if name not in known or not isinstance(value, int | float) or not 0 <= value <= top:
                raise ValueError(f"{name} must be one of {', '.join(sorted(known))}, from 0 to {top}")
            setattr(self, name, float(value))

    def show(self) -> dict[str, float]:
        """All knobs."""
        return asdict(self)


def sign(body: bytes, secret: str, stamp: int) -> str:
    """The ``Stripe-Signature`` header (docs.stripe.com/webhooks#verify-manually)."""
    mac = hmac.new(secret.encode(), str(stamp).encode() + b"." + body, hashlib.sha256)
    return f"t={stamp},v1={mac.hexdigest()}"


class Courier:
    """Takes events, gives them to ``post`` (body, signature) → status, tries again on failure."""

    def __init__(
        self,
        store: Store,
        secret: str = "",
        post: Callable[[bytes, str], int] | None = None,
        chance: random.Random | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store, self.secret, self.post = store, secret, post
        self.knobs = Knobs()
        self._chance, self._clock = chance or random.Random(), clock
        self._count = sum(1 for _ in store.all("parcel"))

    def take(self, event: Row) -> None:
        """Queue an event, or lose it, or queue it twice."""
        if self.post is None or self._chance.random() < self.knobs.drop:
            return
        copies = 2 if self._chance.random() < self.knobs.duplicate else 1
        for _ in range(copies):
            self._count += 1
            wait = self._chance.random() * self.knobs.delay_s
            if self._chance.random() < self.knobs.reorder:
                wait += self._chance.random() * 3
            name = f"{event['id']}:{self._clock():.6f}:{self._count}"
            parcel = {"name": name, "event": event["id"], "at": self._clock() + wait, "tries": 0}
            self.store.put("parcel", name, parcel)

    def waiting(self) -> list[Row]:
        """Parcels not delivered yet."""
        return sorted(self.store.all("parcel"), key=lambda p: p["at"])

    def deliver(self) -> int:
        """Post what is due; answers how many arrived. One caller at a time."""
        arrived = 0
        for parcel in self.waiting():
            if parcel["at"] > self._clock():
                break
            event = self.store.get("event", parcel["event"])
            if event is None or self.post is None:
                self.store.drop("parcel", parcel["name"])
                continue
            body = json.dumps(event).encode()
            if self._chance.random() < self.knobs.fail:
                status = 500
            else:
                status = self.post(body, sign(body, self.secret, int(self._clock())))
            if 200 <= status < 300:
                self.store.drop("parcel", parcel["name"])
                self.store.put("event", event["id"], {**event, "pending_webhooks": 0})
                arrived += 1
            elif parcel["tries"] >= len(RETRIES_S):
                self.store.drop("parcel", parcel["name"])
            else:
                again = {
                    **parcel,
                    "at": self._clock() + RETRIES_S[parcel["tries"]],
                    "tries": parcel["tries"] + 1,
                }
                self.store.put("parcel", parcel["name"], again)
        return arrived
