"""What the provisioners of relays share: the order of things, and how doubts are settled."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from tollkeeper.delivery.provisioners import (
    BadPush,
    DeadKey,
    Door,
    Facts,
    Handed,
    Mismatch,
    Missing,
    ProvisionerError,
    Push,
    Refused,
    Reply,
    Seen,
    Unsure,
    Wish,
)

ENDS_WITHIN = dt.timedelta(minutes=5)
"""How exactly another system has to keep an end."""


class Relay:
    """Looks up, makes, compares, proves. A file says how each step is spoken.

    ``step_micro`` is the smallest amount the other side can keep: caps are compared
    to within one step.
    """

    name = ""
    remote = True
    keeps: frozenset[str] = frozenset()
    serves = frozenset({"chat"})
    """The target's option ``serves`` (words with blanks between) says otherwise."""
    chooses_secret = False
    reads_secret = False
    step_micro = 1

    def __init__(self, door: Door) -> None:
        assert door.target is not None
        assert door.http is not None
        self.door, self.target, self.clock = door, door.target, door.clock
        self._http = door.http
        if said := self.target.options.get("serves", ""):
            self.serves = frozenset(said.split())

    # --- what each file says ---

    def headers(self) -> Mapping[str, str]:
        """Headers that make us known."""
        return {"Authorization": f"Bearer {self.door.credential}"}

    def make(self, wish: Wish) -> tuple[str, str]:
        """Make the key; its handle and secret, each empty if the answer does not tell."""
        raise NotImplementedError

    def secret_of(self, seen: Seen, wish: Wish) -> str:
        """The secret of a key that is there; empty if nobody can say it any more."""
        raise NotImplementedError

    def write(self, seen: Seen, wish: Wish) -> None:
        """Write cap, end and restrictions over what is there."""
        raise NotImplementedError

    def works(self, secret: str) -> bool:
        """Whether a sold key is let in, found by a call made with it that costs nothing."""
        raise NotImplementedError

    def find(self, label: str) -> tuple[Seen, ...]:
        """See the protocol."""
        raise NotImplementedError

    def read(self, handle: str) -> Seen:
        """See the protocol."""
        raise NotImplementedError

    def set_enabled(self, handle: str, *, enabled: bool) -> None:
        """Stop or start a key."""
        raise NotImplementedError

    def remove(self, handle: str) -> None:
        """Take a key away; raises :class:`Missing`."""
        raise NotImplementedError

    def list(self, prefix: str) -> Iterator[Seen]:
        """See the protocol."""
        raise NotImplementedError

    def probe(self) -> Facts:
        """See the protocol."""
        raise NotImplementedError

    def pushed(self, headers: Mapping[str, str], body: bytes, word: str) -> Push:
        """See the protocol. Most relays never say anything."""
        raise BadPush(404, "nothing is expected from there")

    # --- the order of things ---

    def provide(self, wish: Wish) -> Handed:
        """See the protocol. After a crash anywhere, asking again ends in one working key."""
        seen, secret, adopted = self._one(wish)
        seen = self._fitting(seen, wish)
        if not seen.enabled:
            self.set_enabled(seen.handle, enabled=True)
            seen = self.read(seen.handle)
        if not self.works(secret):
            self.withdraw(seen.handle)
            raise DeadKey(seen.handle)
        return Handed(seen.handle, secret, seen, adopted)

    def _one(self, wish: Wish) -> tuple[Seen, str, bool]:
        """The label's one key and its secret; others, and one whose secret is lost, are taken away."""
        for seen in self.find(wish.label):
            secret = self.secret_of(seen, wish)
            if secret:
                self._only(wish.label, seen.handle)
                return seen, secret, True
            self.withdraw(seen.handle)
        handle, secret = self.make(wish)
        if handle:
            seen = self.read(handle)
        else:
            found = self.find(wish.label)
            if not found:
                raise Unsure("a key was made and cannot be found")
            seen = found[0]
        self._only(wish.label, seen.handle)  # somebody on the way may have repeated what we asked
        secret = secret or self.secret_of(seen, wish)
        if not secret:
            raise Unsure("a key was made and its secret cannot be read")
        return seen, secret, False

    def _only(self, label: str, handle: str) -> None:
        for other in self.find(label):
            if other.handle != handle:
                self.withdraw(other.handle)

    def _fitting(self, seen: Seen, wish: Wish) -> Seen:
        """What is there, brought in line once; stopped and refused if it does not stay so."""
        if not self.differs(seen, wish):
            return seen
        self.write(seen, wish)
        seen = self.read(seen.handle)
        wrong = self.differs(seen, wish)
        if wrong:
            self._stop(seen.handle)
            raise Mismatch(seen.handle, wrong)
        return seen

    def _stop(self, handle: str) -> None:
        try:
            self.set_enabled(handle, enabled=False)
        except ProvisionerError:
            self.remove(handle)

    def differs(self, seen: Seen, wish: Wish) -> tuple[str, ...]:
        """In what a key is not as it was sold, of all that this side is said to keep."""
        wrong = []
        if "cap" in self.keeps and not self._same_amount(seen.cap, wish.cap):
            wrong.append("cap")
        if "ends_at" in self.keeps and not _same_instant(seen.ends_at, wish.ends_at):
            wrong.append("ends_at")
        if "models" in self.keeps and set(seen.models) != set(wish.models):
            wrong.append("models")
        if "ip_ranges" in self.keeps and set(seen.ip_ranges) != set(wish.ip_ranges):
            wrong.append("ip_ranges")
        for name in ("requests_per_minute", "tokens_per_minute", "concurrency"):
            if name in self.keeps and getattr(seen, name) != getattr(wish, name):
                wrong.append(name)
        return tuple(wrong)

    def _same_amount(self, one: int | None, other: int | None) -> bool:
        if one is None or other is None:
            return one is other
        return abs(one - other) <= self.step_micro

    def renew(self, handle: str, wish: Wish) -> Seen:
        """See the protocol."""
        seen = self.read(handle)
        if self.differs(seen, wish):
            self.write(seen, wish)
            seen = self.read(handle)
        wrong = self.differs(seen, wish)
        if wrong:
            raise Mismatch(handle, wrong)
        return seen

    def suspend(self, handle: str) -> Seen:
        """See the protocol."""
        return self._set(handle, enabled=False)

    def resume(self, handle: str) -> Seen:
        """See the protocol."""
        return self._set(handle, enabled=True)

    def _set(self, handle: str, *, enabled: bool) -> Seen:
        self.set_enabled(handle, enabled=enabled)
        seen = self.read(handle)
        if seen.enabled != enabled:
            raise Mismatch(handle, ("enabled",))
        return seen

    def withdraw(self, handle: str) -> None:
        """See the protocol. Stopped first, so that it ends even if it cannot be taken away."""
        try:
            self.set_enabled(handle, enabled=False)
            self.remove(handle)
        except Missing:
            return
        try:
            left = self.read(handle)
        except Missing:
            return
        raise Unsure(f"a key is still there after it was taken away: {left.handle}")

    def forget(self, handle: str) -> None:
        """See the protocol. A relay keeps no more about us than the key."""
        self.withdraw(handle)

    # --- speaking ---

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        secret: str = "",
    ) -> Reply:
        """Send one request, as ourselves or with a sold key. Raises :class:`Unsure` for no clear answer."""
        headers = {"Authorization": f"Bearer {secret}"} if secret else dict(self.headers())
        url = self.target.url.rstrip("/") + path
        reply = self._http(method, url, headers=headers, body=body, query=query)
        if reply.status >= 500 or reply.status == 429:
            raise Unsure(f"{method} {path} answered {reply.status}")
        if reply.status in (401, 403) and not secret:
            raise Refused("credential", f"{method} {path} answered {reply.status}: check the credential")
        return reply

    def skew(self, reply: Reply) -> float:
        """How far the other clock is ahead, in seconds; 0 if it does not say."""
        try:
            return (parsedate_to_datetime(reply.headers["date"]) - self.clock()).total_seconds()
        except (KeyError, ValueError, TypeError):
            return 0.0


def _same_instant(one: dt.datetime | None, other: dt.datetime | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= ENDS_WITHIN


def from_usd(amount: float | int | None) -> int | None:
    """Micro-units of money of a number as relays show it."""
    return None if amount is None else round(amount * 1_000_000)


def to_usd(micro: int | None) -> float | None:
    """A number as relays take it."""
    return None if micro is None else micro / 1_000_000


def instant(text: str | None) -> dt.datetime | None:
    """An ISO 8601 instant; one without a zone is UTC."""
    if not text:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        raise Unsure(f"{text!r} is no instant") from None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
