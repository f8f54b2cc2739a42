"""What for: sealed values open only to code that has said which purpose of the policy it serves.

    with serving("support"):
        ticket.title        # opens: its inventory names support
        session.ip          # raises: addresses serve security

A job's kind declares its purpose and the worker serves it; a page serves the person whose
data it shows (:data:`OWN`), the desk serves what a desk is for. A value that was read for
another purpose is :class:`Closed`: it may be passed on and saved back, and whoever looks
into it gets :class:`UndeclaredRead`. Once :func:`guard_process` was called, reading without
any declared purpose is refused too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn

OWN = "*"
"""Showing people their own data: every column of theirs."""

_serving: ContextVar[frozenset[str] | None] = ContextVar("purposes_served", default=None)
_guarded = {"process": False}


class UndeclaredRead(Exception):
    """A sealed value was about to be read for a purpose that its inventory does not name."""

    def __init__(self, column: str, served: frozenset[str] | None) -> None:
        named = f"while serving {', '.join(sorted(served))}" if served else "without a declared purpose"
        super().__init__(f"{column} was read {named}")
        self.column = column


@contextmanager
def serving(*purposes: str) -> Iterator[None]:
    """Say what the code inside is for; inner declarations replace outer ones."""
    token = _serving.set(frozenset(purposes))
    try:
        yield
    finally:
        _serving.reset(token)


def served() -> frozenset[str] | None:
    """What this code said it is for; None if it said nothing."""
    return _serving.get()


def guard_process(on: bool = True) -> None:
    """From now on, reading without a declared purpose is refused: called by web and worker."""
    _guarded["process"] = on


def allowed(purposes: frozenset[str] | None) -> bool:
    """Whether a column with these purposes may be read now; None: its inventory is not loaded."""
    now = _serving.get()
    if purposes is None:
        return True
    if now is None:
        return not _guarded["process"]
    return OWN in now or bool(now & purposes)


class Closed:
    """A sealed value that was not opened, since nobody declared a purpose that may see it."""

    def __init__(self, column: str, token: str) -> None:
        self.column, self.token = column, token
        self._served = served()

    def __repr__(self) -> str:
        return f"<closed {self.column}>"

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise UndeclaredRead(self.column, self._served)

    __str__ = __format__ = __len__ = __bool__ = __iter__ = __contains__ = __getitem__ = _refuse
    __eq__ = __ne__ = __lt__ = __gt__ = __le__ = __ge__ = __add__ = __radd__ = _refuse
    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse()


class PurposeMiddleware:
    """Pages serve the person who looks at them; the desk serves what its staff are there for."""

    DESK = ("support", "order", "delivery", "security", "notice", "legal")

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        purposes = self.DESK if request.path.startswith("/desk/") else (OWN,)
        with serving(*purposes):
            return self.get_response(request)
