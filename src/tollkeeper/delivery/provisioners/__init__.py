"""What a provisioner is: one file here, found by its name, without Django and models.

A provisioner makes keys somewhere and keeps them in line with what was sold: on our
own gate, at a relay that somebody else runs, in the operator's own system. A file
gives ``build(door) -> Provisioner``. The rules every one keeps are the suite in
``tests/contracts/test_provisioners.py``:

- ``provide`` may be asked again for the same label, after any crash, and leaves one key;
- what was asked for is read back and compared, and the key is proved to work, before it
  is handed over; what does not fit is stopped there and raises :class:`Mismatch`;
- no answer, or one that makes no sense, raises :class:`Unsure`: never "failed";
- caps are absolute over the life of a key, so that writing one twice changes nothing;
- nothing but opaque labels, amounts and restrictions crosses the border.

Amounts are micro-units of the unit that was sold, instants are aware datetimes.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tollkeeper.core.terms import TargetTerms


class ProvisionerError(Exception):
    """The base of all that a provisioner may raise; the text is for operators and names no person."""


class Unsure(ProvisionerError):
    """No answer, or none that can be believed: it may have happened or not. Look again later."""


class Refused(ProvisionerError):
    """A clear no. ``code`` is a word of ours: ``credential``, ``label_taken``, ``bad_request`` …"""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(text or code)
        self.code = code


class Missing(Refused):
    """There is no such key there (any more)."""

    def __init__(self, text: str = "") -> None:
        super().__init__("missing", text)


class Mismatch(Refused):
    """The key is not what was asked for, and was stopped there. ``fields`` says in what it differs."""

    def __init__(self, handle: str, fields: tuple[str, ...]) -> None:
        super().__init__("mismatch", f"not kept: {', '.join(fields)}")
        self.handle, self.fields = handle, fields


class DeadKey(Refused):
    """The secret that was handed out does not work; the key was withdrawn there."""

    def __init__(self, handle: str) -> None:
        super().__init__("dead_key", "the key that was made does not work")
        self.handle = handle


class BadPush(ProvisionerError):
    """What came in the name of the other side is not believed, or not read. ``status``: what to answer."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Wish:
    """A key as it was sold. Made of committed rows only, so that asking again asks the same.

    ``label`` is unique for ever, opaque, at most 30 characters. ``secret`` was chosen and
    sealed by us beforehand; it is used where the other side lets the caller choose, and
    empty where a key that exists is only brought in line.
    ``cap`` is over the key's whole life, None for none.
    """

    label: str
    secret: str
    unit: str
    cap: int | None = None
    ends_at: dt.datetime | None = None
    models: tuple[str, ...] = ()
    ip_ranges: tuple[str, ...] = ()
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    concurrency: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """A key as it is there. ``used`` may be late by ``delay_s``; None means not known.

    ``window`` is empty if ``used`` counts the whole life of the key, else the word of the
    window that ``resets_at`` ends.
    """

    handle: str
    label: str
    enabled: bool
    cap: int | None
    used: int | None
    as_of: dt.datetime
    ends_at: dt.datetime | None = None
    models: tuple[str, ...] = ()
    ip_ranges: tuple[str, ...] = ()
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    concurrency: int = 0
    created_at: dt.datetime | None = None
    window: str = ""
    resets_at: dt.datetime | None = None
    delay_s: float = 0.0

    @property
    def remaining(self) -> int | None:
        """What is left under the cap; None without a cap or without knowledge."""
        if self.cap is None or self.used is None:
            return None
        return max(0, self.cap - self.used)


@dataclass(frozen=True, slots=True)
class Handed:
    """A key that works and is what was asked for. ``repr`` does not show the secret."""

    handle: str
    secret: str
    seen: Seen
    adopted: bool = False

    def __repr__(self) -> str:
        return f"Handed({self.handle!r}, adopted={self.adopted})"


@dataclass(frozen=True, slots=True)
class Pushed:
    """What the other side says by itself of a key; ``seen`` None: only that it is worth a look."""

    handle: str
    seen: Seen | None = None


@dataclass(frozen=True, slots=True)
class Push:
    """A message of the other side that is believed. ``unit`` is that of its amounts, as of :class:`Facts`."""

    unit: str
    keys: tuple[Pushed, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a probe found. ``keeps`` names the restrictions that survive there.

    Those that do not survive are ours to see to: ``ends_at`` by withdrawing in time.
    """

    version: str
    unit: str
    keeps: frozenset[str]
    chooses_secret: bool
    reads_secret: bool
    wallet: int | None = None
    """What the account behind all keys still has, in micro-units; None if it has no such thing."""
    skew_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer. ``headers`` are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; raises :class:`Unsure` for anything else (a proxy's page of HTML)."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise Unsure(f"an answer with status {self.status} is not JSON") from None


class Http(Protocol):
    """The way out. Raises :class:`Unsure` where no whole answer came, :class:`Refused` at the door."""

    def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: Any = None,
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send one request; a ``body`` that is not bytes goes as JSON."""


class House(Protocol):
    """Our own gate, for the provisioner that makes keys at home."""

    def provide(self, wish: Wish) -> tuple[str, str]:
        """Make the label's key, or find it; answers its handle and, if it is new, its secret."""

    def read(self, handle: str) -> Seen:
        """Raises :class:`Missing`."""

    def find(self, label: str) -> Seen | None:
        """The key of a label."""

    def set(self, handle: str, *, enabled: bool) -> None:
        """Stop a key or let it go on. Raises :class:`Missing`."""

    def change(self, handle: str, *, ends_at: dt.datetime | None) -> None:
        """Set how long a key works; what it may do and use, other rows of ours say."""

    def remove(self, handle: str) -> None:
        """Revoke a key for good; gone already is fine."""

    def each(self, prefix: str) -> Iterator[Seen]:
        """All keys whose label begins so."""


@dataclass(frozen=True, slots=True)
class Door:
    """All that a provisioner is given. ``target`` and ``credential`` are empty at home."""

    clock: Callable[[], dt.datetime]
    target: TargetTerms | None = None
    credential: str = ""
    http: Http | None = None
    house: House | None = None
    push_secret: str = ""
    """By which the other side is known when it says something by itself; empty: it is not listened to."""


class Provisioner(Protocol):
    """The behaviour of a provisioner file."""

    name: str
    remote: bool
    """False if keys are rows of ours, so that its verbs may run inside a transaction."""
    serves: frozenset[str]
    """Forms of calls its keys can make: of ``chat``, ``responses`` (OpenAI), ``messages`` (Anthropic)."""

    def probe(self) -> Facts:
        """What the other side can do, now. Raises if it cannot be sold from."""

    def provide(self, wish: Wish) -> Handed:
        """Look the label up, make the key if it is not there, compare, prove."""

    def find(self, label: str) -> tuple[Seen, ...]:
        """Keys with exactly this label, oldest first."""

    def read(self, handle: str) -> Seen:
        """A key as it is there now. Raises :class:`Missing`."""

    def differs(self, seen: Seen, wish: Wish) -> tuple[str, ...]:
        """In what a key is not as it was sold, of all that the other side keeps."""

    def renew(self, handle: str, wish: Wish) -> Seen:
        """Write cap, end and restrictions, all absolute; answers what is there afterwards.

        Raises :class:`Mismatch`.
        """

    def suspend(self, handle: str) -> Seen:
        """Stop a key; stopped already is fine. Raises :class:`Missing`."""

    def resume(self, handle: str) -> Seen:
        """Let a stopped key go on. Raises :class:`Missing`."""

    def withdraw(self, handle: str) -> None:
        """Stop a key and take it away for good; gone already is fine."""

    def forget(self, handle: str) -> None:
        """Remove all that is kept there about a key, as far as the other side can."""

    def list(self, prefix: str) -> Iterator[Seen]:
        """All keys whose label begins so: for the sweeper."""

    def pushed(self, headers: Mapping[str, str], body: bytes, word: str) -> Push:
        """Check and read what the other side says by itself; names of headers are lower case.

        ``word`` is the secret in the address, from those who cannot sign. Raises
        :class:`BadPush`: 401 if it is not by the other side, or not of now, 400 if it cannot be
        read, 404 if nothing is expected from there.
        """
