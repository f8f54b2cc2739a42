"""Strict HTTP/1.1 heads and chunked framing: the one parser through which all traffic goes.

Request smuggling lives from two parsers that disagree, so this one refuses all
that another could read in another way (RFC 9112): bare CR or LF, folded lines,
space before a colon, two lengths, a length beside a coding, any coding but
``chunked``, absolute targets, controls in fields. What passes is written anew
for the other side: hop-by-hop fields, credentials, cookies and addresses of the
customer are dropped, framing fields are rewritten in one spelling.

A program sends the same names of fields again and again, so what is to be done
with them is found out once for all names of a head, not for each (:class:`_Shape`).

This is the pure twin; ``_heads`` is the same in C, when a compiler was there at
install. ``gate.parser`` picks, and the tests hold them against each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import itemgetter
from typing import Any, Final

KEEP: Final = 1
"""The connection may serve a further message."""
CHUNKED: Final = 2
EXPECT: Final = 4
"""Request: the client waits for ``100 Continue``."""
UPGRADE: Final = 8
"""Request: asks for ``Upgrade: websocket``."""
HEAD: Final = 16
HTTP10: Final = 32
NO_BODY: Final = 64
"""Response: no body follows, whatever its fields say."""
UNTIL_CLOSE: Final = 128
"""Response: the body ends with the connection."""
ORIGIN: Final = 256
"""Request: has an ``Origin`` field."""
JSON: Final = 512
"""Response: JSON."""
EVENTS: Final = 1024
"""Response: ``text/event-stream``."""
ENCODED: Final = 2048
"""A content coding is on the body."""
CACHED: Final = 4096
"""Response: says that it came from a cache (``X-Cache: HIT`` or ``Cf-Cache-Status: HIT``)."""
NAMED: Final = 1
"""Instead of a response's parts: it has fields that must go no further."""


RequestHead = tuple[int, bytes, bytes, bytes | None, int, bytes, bytes, int]
"""Flags, method, target, credential, content length (-1: none), fields for the upstream, fields that
a meter may replace (accepted codings, then framing), where the head ends."""
ResponseHead = tuple[int, int, int, bytes, bytes, int]
"""Flags, status, content length (-1: none), head for the client, its framing, where the head ends.
Fields have their CRLF before them, and a head ends where its final CRLFCRLF begins."""

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
VALUES = rb"[\t\x20-\x7e\x80-\xff]*+"
CHUNKED_FIELD: Final = b"\r\nTransfer-Encoding: chunked"
_REQUEST_LINE = rb"(" + TOKEN + rb"{1,20}+) (/[!\"$-\[\]-~]*+) HTTP/1\.([01])"
_STATUS_LINE = rb"(HTTP/1\.([01]) ([1-9][0-9][0-9])(?: " + VALUES + rb")?)"
# As each match begins at a CRLF and reaches to the next, as many names as lines means that all is well.
_names = re.compile(rb"\r\n(" + TOKEN + rb"++):" + VALUES + rb"(?=\r\n)").findall
_host = re.compile(rb"(?:[0-9A-Za-z._\-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?").fullmatch

PASS, DROP, HOST, AUTHORIZATION, API_KEY, LENGTH, CODING, CONNECTION, EXPECTED, UPGRADING = range(10)
ORIGINATING, CONTENT_CODING, CONTENT_TYPE, CACHE_STATUS, ACCEPTED = range(10, 15)
"""What a field means here. ``PASS`` goes on as it is, ``DROP`` never does."""
_GOES_ON = frozenset((PASS, CONTENT_CODING, CONTENT_TYPE, CACHE_STATUS))

_REQUEST_FIELDS = {
    b"host": HOST,
    b"authorization": AUTHORIZATION,
    b"x-api-key": API_KEY,
    b"api-key": API_KEY,
    b"content-length": LENGTH,
    b"transfer-encoding": CODING,
    b"connection": CONNECTION,
    b"expect": EXPECTED,
    b"upgrade": UPGRADING,
    b"origin": ORIGINATING,
    b"content-encoding": CONTENT_CODING,
    b"accept-encoding": ACCEPTED,
    **dict.fromkeys(
        b"keep-alive te http2-settings cookie cookie2 forwarded via from referer x-real-ip x-client-ip"
        b" true-client-ip cf-connecting-ip fastly-client-ip x-cluster-client-ip x-request-id"
        b" openai-organization openai-project"
        # Which method and path a route allows must be what the upstream takes them for.
        b" x-http-method x-http-method-override x-method-override x-rewrite-url".split(),
        DROP,
    ),
}
_REQUEST_PREFIXES = (b"proxy-", b"x-forwarded-", b"x-original-", b"tollkeeper-")
_RESPONSE_FIELDS = {
    b"content-length": LENGTH,
    b"transfer-encoding": CODING,
    b"connection": CONNECTION,
    b"content-type": CONTENT_TYPE,
    b"content-encoding": CONTENT_CODING,
    b"x-cache": CACHE_STATUS,
    b"cf-cache-status": CACHE_STATUS,
    **dict.fromkeys(
        b"upgrade keep-alive server x-powered-by set-cookie set-cookie2 alt-svc te via x-request-id"
        b" ratelimit".split(),
        DROP,
    ),
}
_RESPONSE_PREFIXES = (b"proxy-", b"ratelimit-", b"x-ratelimit-", b"access-control-")
_HARMLESS = frozenset(b"close keep-alive upgrade te http2-settings proxy-connection trailer".split()) | {b""}

_SHAPES = 512
_SHAPE_MAX = 2048
"""How many shapes are kept, and the size of names for which they are."""
_LEARNED_AFTER = 64
_RECENT = 6


class _Shape:
    """Heads with the same names of fields, as they are spelled, in the same order.

    All of them fall into the same pieces: the parts of the first line, runs of lines that go on as
    they are, values that must be looked at, and an empty one. A shape that comes often gets a
    pattern of its own that makes the pieces in one go.
    """

    def __init__(self, first: bytes, names: tuple[bytes, ...], meanings: list[int]) -> None:
        self.match: Callable[[bytes], re.Match[bytes] | None] | None = None
        self.seen = 0
        self.looked_at: list[tuple[int, int]] = []
        """Place among the pieces, meaning."""
        self._cuts: list[list[int]] = []
        """First and last line of a run; or a line twice, and where its value begins."""
        self._first = first
        self._names = names
        self._meanings = meanings
        place, run, going = first.count(b"(") - first.count(b"(?"), 0, []
        for line, (name, meaning) in enumerate(zip(names, meanings, strict=True), 1):
            if meaning not in _GOES_ON:
                run = 0
            elif run:
                self._cuts[run - 1][1] = line
            else:
                self._cuts.append([line, line, 0])
                run = len(self._cuts)
                going.append(place + run - 1)
            if meaning not in (PASS, DROP):
                self.looked_at.append((place + len(self._cuts), meaning))
                self._cuts.append([line, line, len(name) + 1])
        # Of one place alone an itemgetter gives the piece itself: the empty one, which joins to nothing.
        self.going: Callable[[tuple[bytes, ...]], Any] = itemgetter(*going, place + len(self._cuts))

    def cut(self, first: tuple[bytes, ...], lines: list[bytes]) -> tuple[bytes, ...]:
        """The pieces, made from the parts of the first line and the lines after it."""
        pieces = [
            lines[start][value:] if value else b"\r\n" + b"\r\n".join(lines[start : end + 1])
            for start, end, value in self._cuts
        ]
        return (*first, *pieces, b"")

    def learn(self) -> None:
        """Make the pattern."""
        pattern, run = self._first, False
        for name, meaning in zip(self._names, self._meanings, strict=True):
            goes = meaning in _GOES_ON
            if goes is not run:
                pattern += b"(" if goes else b")"
                run = goes
            value = VALUES if meaning in (PASS, DROP) else b"(" + VALUES + b")"
            pattern += rb"\r\n" + re.escape(name) + b":" + value
        self.match = re.compile(pattern + (b")" if run else b"") + rb"(?=\r\n\r\n)()").match


class _Shapes(dict[tuple[bytes, ...], _Shape]):
    """The shapes seen lately, of requests or of responses."""

    def __init__(self, first: bytes, meanings: dict[bytes, int], prefixes: tuple[bytes, ...]) -> None:
        super().__init__()
        self._first = first
        self._line = re.compile(first + rb"(?=\r\n)").match
        self._meanings = meanings
        self._prefixes = prefixes
        self.learned: list[_Shape] = []

    def __missing__(self, names: tuple[bytes, ...]) -> _Shape:
        lower = [name.lower() for name in names]
        meanings = [
            self._meanings.get(name, DROP if name.startswith(self._prefixes) else PASS) for name in lower
        ]
        shape = _Shape(self._first, names, meanings)
        if len(self) < _SHAPES and sum(map(len, names)) <= _SHAPE_MAX:
            self[names] = shape
        return shape

    def read(self, data: bytes) -> tuple[tuple[bytes, ...], _Shape, int] | None:
        """The pieces of a head, its shape, and where it ends (-1: not whole); None if it is malformed."""
        for shape in self.learned:
            if shape.match is not None and (match := shape.match(data)) is not None:
                if shape is not self.learned[0]:
                    self.learned.remove(shape)
                    self.learned.insert(0, shape)
                return match.groups(), shape, match.end()
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return (), _NO_SHAPE, -1
        start = self._line(data)
        if start is None:
            return None
        names = _names(data, start.end(), end + 2)
        lines = data[start.end() : end].split(b"\r\n")
        if len(lines) != len(names) + 1:
            return None
        shape = self[tuple(names)]
        shape.seen += 1
        if not shape.seen % _LEARNED_AFTER:
            if shape.match is None:
                shape.learn()
            self.learned = [shape, *self.learned[: _RECENT - 1]]
        return shape.cut(start.groups(), lines), shape, end


_NO_SHAPE = _Shape(b"", (), [])
_requests = _Shapes(_REQUEST_LINE, _REQUEST_FIELDS, _REQUEST_PREFIXES)
_responses = _Shapes(_STATUS_LINE, _RESPONSE_FIELDS, _RESPONSE_PREFIXES)


def parse_request(data: bytes) -> RequestHead | int:  # noqa: C901 - one pass, hot
    """Read the request head at the beginning of ``data``.

    Gives the head's parts; or 0 if it is not whole yet; or the status with which it
    must be refused: 400, 401 (a credential of a kind we do not take) or 417.
    """
    read = _requests.read(data)
    if read is None:
        return 400
    pieces, shape, end = read
    if end < 0:
        return 0
    method, target, minor = pieces[:3]
    flags = KEEP if minor == b"1" else HTTP10
    if method == b"HEAD":
        flags |= HEAD
    credential: bytes | None = None
    length = -1
    hosts = refused = 0
    upgrade_asked = upgrade_named = False
    replaceable = b""
    for place, meaning in shape.looked_at:
        value = pieces[place].strip(b" \t")
        if meaning == HOST:
            hosts += 1
            if _host(value) is None:
                return 400
        elif meaning == AUTHORIZATION:
            if value[:7].lower() != b"bearer ":
                refused = refused or 401
            elif credential is None:
                credential = value[7:].lstrip(b" \t")
            elif credential != value[7:].lstrip(b" \t"):
                return 400
        elif meaning == LENGTH:
            if length >= 0 or flags & CHUNKED or not value.isdigit() or len(value) > 15:
                return 400
            length = int(value)
        elif meaning == ACCEPTED:
            replaceable += b"\r\nAccept-Encoding:" + pieces[place]
        elif meaning == CONNECTION:
            for word in value.lower().split(b","):
                word = word.strip(b" \t")
                if word == b"close":
                    flags &= ~KEEP
                elif word == b"upgrade":
                    upgrade_named = True
                elif word not in _HARMLESS:
                    return 400
        elif meaning == API_KEY:
            if credential is not None and credential != value:
                return 400
            credential = value
        elif meaning == CODING:
            if length >= 0 or flags & (CHUNKED | HTTP10) or value.lower() != b"chunked":
                return 400
            flags |= CHUNKED
        elif meaning == EXPECTED:
            if value.lower() != b"100-continue":
                refused = 417
            flags |= EXPECT
        elif meaning == UPGRADING:
            upgrade_asked = value.lower() == b"websocket"
        elif meaning == ORIGINATING:
            flags |= ORIGIN
        else:
            flags |= ENCODED
    if hosts != 1 and not (flags & HTTP10 and hosts == 0):
        return 400
    if refused:
        return refused
    if upgrade_asked and upgrade_named and not flags & HTTP10:
        flags |= UPGRADE
    if length >= 0:
        replaceable += b"\r\nContent-Length: %d" % length
    elif flags & CHUNKED:
        replaceable += CHUNKED_FIELD
    return flags, method, target, credential, length, b"".join(shape.going(pieces)), replaceable, end


def parse_response(data: bytes, was_head: bool) -> ResponseHead | int:  # noqa: C901 - one pass, hot
    """Read the response head at the beginning of ``data``: the answer to a ``HEAD`` if ``was_head``.

    Gives the head's parts; or 0 if it is not whole yet; or 502 if it must not be believed; or
    :data:`NAMED` if its ``Connection`` names fields of its own (see :func:`without_named`).
    """
    read = _responses.read(data)
    if read is None:
        return 502
    pieces, shape, end = read
    if end < 0:
        return 0
    first, minor, status_text = pieces[:3]
    status = int(status_text)
    flags = KEEP if minor == b"1" else HTTP10
    length = -1
    named = False
    framing = b""
    for place, meaning in shape.looked_at:
        value = pieces[place].strip(b" \t")
        if meaning == LENGTH:
            if length >= 0 or flags & CHUNKED or not value.isdigit() or len(value) > 15:
                return 502
            length = int(value)
            framing = b"\r\nContent-Length: %d" % length
        elif meaning == CONTENT_TYPE:
            kind = value.lower()
            if kind.startswith(b"text/event-stream"):
                flags |= EVENTS
            elif kind.startswith(b"application/json"):
                flags |= JSON
        elif meaning == CONNECTION:
            for word in value.lower().split(b","):
                word = word.strip(b" \t")
                if word == b"close":
                    flags &= ~KEEP
                elif word == b"keep-alive":
                    if flags & HTTP10:
                        flags |= KEEP
                elif word not in _HARMLESS:
                    named = True
        elif meaning == CODING:
            if length >= 0 or flags & (CHUNKED | HTTP10) or value.lower() != b"chunked":
                return 502
            flags |= CHUNKED
            framing = CHUNKED_FIELD
        elif meaning == CONTENT_CODING:
            if value.lower() != b"identity":
                flags |= ENCODED
        elif value[:3].lower() == b"hit":
            flags |= CACHED
    if was_head or status < 200 or status == 204 or status == 304:
        flags |= NO_BODY
        if status < 200 or status == 204:  # neither may announce a body (RFC 9110, 8.6; RFC 9112, 6.1)
            if flags & CHUNKED:
                return 502
            framing = b""
    elif not flags & CHUNKED and length < 0:
        flags = (flags | UNTIL_CLOSE) & ~KEEP
    if named:
        return NAMED
    if minor == b"0":
        first = b"HTTP/1.1" + first[8:]
    return flags, status, length, first + b"".join(shape.going(pieces)), framing, end


def without_named(data: bytes) -> bytes:
    """``data`` without what the ``Connection`` of the well-formed head at its beginning names.

    Such fields are for the next hop only (RFC 9110, 7.6.1); what frames the message stays.
    """
    head, blank, rest = data.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    names = [line.partition(b":")[0].lower() for line in lines]
    values = [
        line.partition(b":")[2] for line, name in zip(lines, names, strict=True) if name == b"connection"
    ]
    words = {word.strip(b" \t") for word in b",".join(values).lower().split(b",")}
    kept = [b"Connection: " + word for word in (b"close", b"keep-alive") if word in words]
    dropped = (words | {b"connection"}) - {b"content-length", b"transfer-encoding"}
    kept += [line for line, name in zip(lines, names, strict=True) if name not in dropped]
    return b"\r\n".join([first, *kept]) + blank + rest


def field_value(fields: bytes, name: bytes) -> bytes | None:
    """The value of the first field called ``name`` (in lower case) in a head; None if there is none."""
    at = fields.lower().find(b"\r\n" + name + b":")
    if at < 0:
        return None
    start = at + len(name) + 3
    stop = fields.find(b"\r\n", start)
    return (fields[start:] if stop < 0 else fields[start:stop]).strip(b" \t")
