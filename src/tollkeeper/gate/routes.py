"""Which route a request takes: the shop's routes as one pattern, the first that matches wins.

Paths that another server could read in another way (dot segments, encoded
slashes, backslashes, empty segments) take no route: what the gate allows must be
what the upstream serves. For the same reason a path is matched as servers decode
it, and with or without a slash at its end: ``/%70osts`` and ``/posts/`` are ``/posts``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

from tollkeeper.core import meters
from tollkeeper.core.meters import Meter, Reading, Request, Unmetered
from tollkeeper.core.records import short
from tollkeeper.core.terms import GateTerms, RouteTerms

_SEGMENT = rb"[^/]+"
_PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)(\.\.\.)?\}")
_ambiguous = re.compile(rb"//|/\.{1,2}(?:/|$)|%(?:2[eEfF]|5[cC]|00|25)|\\|%(?![0-9A-Fa-f]{2})").search


OWN = "own"
"""The path is one of those that the gate answers itself."""


class BadRoute(Exception):
    """A route's path cannot be read; the text says which and why."""


class Route:
    """A route as the gate uses it. ``name_bytes`` go into journal records."""

    __slots__ = (
        "cost",
        "index",
        "meter",
        "methods",
        "name",
        "name_bytes",
        "protocol",
        "reads",
        "retry_safe",
        "terms",
    )

    def __init__(self, index: int, terms: RouteTerms) -> None:
        """Raises :class:`BadRoute` if there is no such meter."""
        try:
            self.meter: Meter = meters.find(terms.meter)
        except meters.UnknownMeter as error:
            raise BadRoute(f"route {terms.name!r}: {error}") from None
        self.index = index
        self.terms = terms
        self.name: str = terms.name
        self.cost: int = terms.cost
        self.protocol: str = terms.protocol
        self.retry_safe: bool = terms.retry_safe
        self.name_bytes: bytes = short(terms.name)
        self.methods = frozenset([method.encode() for method in terms.methods])
        self.reads: str = self.meter.reads
        """What its meter must see: nothing, ``answer``, or ``both``."""

    def open_reading(self, request: Request) -> tuple[Reading, bytes]:
        """Begin to follow a call. Raises ``Unmetered``."""
        if self.meter.open is None:
            raise Unmetered("bad_body", f"the meter {self.meter.name!r} reads nothing")
        return self.meter.open(request)


def _pattern(route: RouteTerms) -> bytes:
    if not route.path.startswith("/"):
        raise BadRoute(f"route {route.name!r}: the path must begin with /")
    out = []
    segments = route.path.split("/")[1:]
    for number, segment in enumerate(segments):
        place = _PLACE.fullmatch(segment)
        if place is None:
            if "{" in segment or "}" in segment:
                raise BadRoute(f"route {route.name!r}: {{…}} must fill a whole segment, not {segment!r}")
            out.append(b"/" + re.escape(unquote_to_bytes(segment)))
        elif place[2]:
            if number != len(segments) - 1:
                raise BadRoute(f"route {route.name!r}: {{{place[1]}...}} must come last")
            return b"".join(out) + rb"(?:/(?s:.*))?"
        else:
            out.append(b"/" + _SEGMENT)
    return b"".join(out) + (b"/?" if segments[-1] else b"")


class RouteTable:
    """All routes of the shop, compiled. Raises :class:`BadRoute` for a path it cannot read."""

    __slots__ = ("_known", "_match", "owned", "routes")

    def __init__(self, terms: GateTerms, owned: Callable[[bytes], bool] | None = None) -> None:
        self.owned = owned
        """Tells paths that the gate answers itself: no upstream must get them, however they are written."""
        self.routes: tuple[Route, ...] = tuple([Route(n, route) for n, route in enumerate(terms.routes)])
        patterns = [b"(" + _pattern(route) + b")" for route in terms.routes] or [rb"((?!))"]
        self._match = re.compile(b"|".join(patterns)).fullmatch
        methods = {method for route in self.routes for method in route.methods} | {b"HEAD"}
        self._known: dict[bytes, dict[bytes, Route]] = {method: {} for method in methods}
        """Routes found lately, by method and path."""

    def find(self, method: bytes, path: bytes) -> Route | str:
        """The route, or why there is none: :data:`OWN`, ``ambiguous_path``, ``no_route`` or
        ``method_not_allowed``."""
        known = self._known.get(method)
        if known is None:
            return self._find(method, path)
        found: Route | str | None = known.get(path)
        if found is None:
            found = self._find(method, path)
            if isinstance(found, Route) and len(known) < 4096:  # bounded: paths are chosen by clients
                known[path] = found
        return found

    def _find(self, method: bytes, path: bytes) -> Route | str:
        plain = unquote_to_bytes(path)
        if self.owned is not None and self.owned(plain):
            return OWN
        if _ambiguous(path) is not None:
            return "ambiguous_path"
        match = self._match(plain)
        if match is None:
            return "no_route"
        asked = b"GET" if method == b"HEAD" else method
        route = self.routes[(match.lastindex or 1) - 1]
        if asked not in route.methods:
            other = self._other(asked, plain, route.index + 1)
            if other is None:
                return "method_not_allowed"
            route = other
        return route

    def _other(self, method: bytes, path: bytes, start: int) -> Route | None:
        for route in self.routes[start:]:
            if method in route.methods and re.fullmatch(_pattern(route.terms), path):
                return route
        return None

    def allowed(self, path: bytes) -> tuple[bytes, ...]:
        """The methods that some route takes for a path, for ``Allow``."""
        path = unquote_to_bytes(path)
        methods: dict[bytes, None] = {}
        for route in self.routes:
            if re.fullmatch(_pattern(route.terms), path):
                methods.update(dict.fromkeys(sorted(route.methods)))
                if b"GET" in route.methods:
                    methods[b"HEAD"] = None
        return tuple(methods)
