"""Strict HTTP/1.1 heads and chunked framing: the one parser through which all traffic goes.

Request smuggling lives from two parsers that disagree, so this one refuses all
that another could read in another way (RFC 9112): bare CR or LF, folded lines,
space before a colon, two lengths, a length beside a coding, any coding but
``chunked``, absolute targets, controls in fields. What passes is written anew
for the other side: hop-by-hop fields, credentials, cookies and addresses of the
customer are dropped, framing fields are rewritten in one spelling.

This is the pure twin; ``_heads`` is the same in C, when a compiler was there at
install. ``gate.parser`` picks, and the tests hold them against each other.
"""

from __future__ import annotations

import re

KEEP = 1
"""The connection may serve a further message."""
CHUNKED = 2
EXPECT = 4
"""Request: the client waits for ``100 Continue``."""
UPGRADE = 8
"""Request: asks for ``Upgrade: websocket``."""
HEAD = 16
HTTP10 = 32
NO_BODY = 64
"""Response: no body follows, whatever its fields say."""
UNTIL_CLOSE = 128
"""Response: the body ends with the connection."""
ORIGIN = 256
"""Request: has an ``Origin`` field."""
JSON = 512
"""Response: JSON."""
EVENTS = 1024
"""Response: ``text/event-stream``."""
ENCODED = 2048
"""A content coding is on the body."""
CACHED = 4096
"""Response: says that it came from a cache (``X-Cache: HIT`` or ``Cf-Cache-Status: HIT``)."""

RequestHead = tuple[int, bytes, bytes, bytes | None, int, bytes]
"""Flags, method, target, credential, content length (-1: none), fields for the upstream."""
ResponseHead = tuple[int, int, int, bytes]
"""Flags, status, content length (-1: none), head for the client without its final CRLFs."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_FIELDS = rb"(?:" + _TOKEN + rb"++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+"
_request = re.compile(
    rb"(" + _TOKEN + rb"{1,20}+) (/[!\"$-\[\]-~]*+) HTTP/1\.([01])\r\n" + _FIELDS,
).fullmatch
_response = re.compile(
    rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*+)?\r\n" + _FIELDS,
).fullmatch
_host = re.compile(rb"(?:[0-9A-Za-z._\-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?").fullmatch

PASS, DROP, HOST, AUTHORIZATION, API_KEY, LENGTH, CODING, CONNECTION, EXPECTED, UPGRADING = range(10)
ORIGINATING, CONTENT_CODING, CONTENT_TYPE, CACHE_STATUS = range(10, 14)
"""What a field means here. ``PASS`` goes on as it is, ``DROP`` never does."""

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
    **dict.fromkeys(
        b"keep-alive te http2-settings cookie cookie2 forwarded via from referer x-real-ip x-client-ip"
        b" true-client-ip cf-connecting-ip fastly-client-ip x-cluster-client-ip x-request-id"
        b" openai-organization openai-project".split(),
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
_SPELLINGS = 2048
"""How many spellings of names are remembered, so that common ones need not be looked at again."""


class _Meanings(dict[bytes, int]):
    """Names of fields, as they are spelled, to what they mean."""

    def __init__(self, known: dict[bytes, int], prefixes: tuple[bytes, ...]) -> None:
        super().__init__()
        self._known = known
        self._prefixes = prefixes

    def __missing__(self, name: bytes) -> int:
        lower = name.lower()
        meaning = self._known.get(lower, DROP if lower.startswith(self._prefixes) else PASS)
        if len(self) < _SPELLINGS:
            self[name] = meaning
        return meaning


_request_meaning = _Meanings(_REQUEST_FIELDS, _REQUEST_PREFIXES)
_response_meaning = _Meanings(_RESPONSE_FIELDS, _RESPONSE_PREFIXES)
_HARMLESS = {
    b"close",
    b"keep-alive",
    b"upgrade",
    b"te",
    b"http2-settings",
    b"proxy-connection",
    b"trailer",
    b"",
}


def parse_request(data: bytes, end: int) -> RequestHead | int:  # noqa: C901 - one pass, hot
    """Read ``data[:end]``, a request head without its final CRLFCRLF.

    Gives the head's parts, or the status with which it must be refused: 400, 401
    (a credential of a kind we do not take) or 417.
    """
    match = _request(data, 0, end + 2)
    if match is None:
        return 400
    method, target, minor = match.groups()
    flags = KEEP if minor == b"1" else HTTP10
    if method == b"HEAD":
        flags |= HEAD
    credential: bytes | None = None
    length = -1
    hosts = refused = 0
    upgrade_asked = upgrade_named = False
    kept: list[bytes] = [b""]
    for line in data[match.end(3) + 2 : end].split(b"\r\n") if match.end(3) < end else ():
        name, _, value = line.partition(b":")
        meaning = _request_meaning[name]
        if meaning == PASS:
            kept.append(line)
            continue
        if meaning == DROP:
            continue
        value = value.strip(b" \t")
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
        elif meaning == API_KEY:
            if credential is not None and credential != value:
                return 400
            credential = value
        elif meaning == LENGTH:
            if length >= 0 or flags & CHUNKED or not value.isdigit() or len(value) > 15:
                return 400
            length = int(value)
            kept.append(b"Content-Length: %d" % length)
        elif meaning == CODING:
            if length >= 0 or flags & (CHUNKED | HTTP10) or value.lower() != b"chunked":
                return 400
            flags |= CHUNKED
            kept.append(b"Transfer-Encoding: chunked")
        elif meaning == CONNECTION:
            for word in value.lower().split(b","):
                word = word.strip(b" \t")
                if word == b"close":
                    flags &= ~KEEP
                elif word == b"keep-alive":
                    if flags & HTTP10:
                        flags |= KEEP
                elif word == b"upgrade":
                    upgrade_named = True
                elif word not in _HARMLESS:
                    return 400
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
            kept.append(line)
    if hosts != 1 and not (flags & HTTP10 and hosts == 0):
        return 400
    if refused:
        return refused
    if upgrade_asked and upgrade_named and not flags & HTTP10:
        flags |= UPGRADE
    return flags, method, target, credential, length, b"\r\n".join(kept)


def parse_response(  # noqa: C901 - one pass, hot
    data: bytes, end: int, was_head: bool
) -> ResponseHead | None:
    """Read ``data[:end]``, a response head without its final CRLFCRLF; None if it must not be believed."""
    match = _response(data, 0, end + 2)
    if match is None:
        return None
    status = int(match[2])
    flags = KEEP if match[1] == b"1" else HTTP10
    length = -1
    kept: list[bytes] = []
    lines = data[:end].split(b"\r\n")
    kept.append(lines[0] if match[1] == b"1" else b"HTTP/1.1" + lines[0][8:])
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        meaning = _response_meaning[name]
        if meaning == PASS:
            kept.append(line)
            continue
        if meaning == DROP:
            continue
        value = value.strip(b" \t")
        if meaning == LENGTH:
            if length >= 0 or flags & CHUNKED or not value.isdigit() or len(value) > 15:
                return None
            length = int(value)
            kept.append(b"Content-Length: %d" % length)
        elif meaning == CODING:
            if length >= 0 or flags & (CHUNKED | HTTP10) or value.lower() != b"chunked":
                return None
            flags |= CHUNKED
            kept.append(b"Transfer-Encoding: chunked")
        elif meaning == CONNECTION:
            for word in value.lower().split(b","):
                word = word.strip(b" \t")
                if word == b"close":
                    flags &= ~KEEP
                elif word == b"keep-alive" and flags & HTTP10:
                    flags |= KEEP
        elif meaning == CONTENT_TYPE:
            kind = value.lower()
            if kind.startswith(b"text/event-stream"):
                flags |= EVENTS
            elif kind.startswith(b"application/json"):
                flags |= JSON
            kept.append(line)
        elif meaning == CONTENT_CODING:
            if value.lower() != b"identity":
                flags |= ENCODED
            kept.append(line)
        else:
            if value[:3].lower() == b"hit":
                flags |= CACHED
            kept.append(line)
    if was_head or status < 200 or status == 204 or status == 304:
        flags |= NO_BODY
        if status < 200 or status == 204:  # neither may announce a body (RFC 9110, 8.6; RFC 9112, 6.1)
            if flags & CHUNKED:
                return None
            kept = [line for line in kept if not line.startswith(b"Content-Length: ")]
    elif not flags & CHUNKED and length < 0:
        flags = (flags | UNTIL_CLOSE) & ~KEEP
    return flags, status, length, b"\r\n".join(kept)


def field_value(fields: bytes, name: bytes) -> bytes | None:
    """The value of the first field called ``name`` (in lower case) in a head; None if there is none."""
    at = fields.lower().find(b"\r\n" + name + b":")
    if at < 0:
        return None
    start = at + len(name) + 3
    stop = fields.find(b"\r\n", start)
    return (fields[start:] if stop < 0 else fields[start:stop]).strip(b" \t")


_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
# Not possessive around alternatives: Python before 3.11.5 matches too much there (CPython gh-106052).
_EXTENSION = rb";" + _TOKEN + rb"++(?:=(?:" + _TOKEN + rb"++|" + _QUOTED + rb"))?"
_size_line = re.compile(rb"([0-9a-fA-F]{1,12})((?:" + _EXTENSION + rb")*)\r\n").fullmatch
_trailer_line = re.compile(rb"(" + _TOKEN + rb"++):[\t\x20-\x7e\x80-\xff]*+\r\n").fullmatch
MAX_SIZE_LINE = 256
MAX_TRAILERS = 8192
FORBIDDEN_TRAILERS = frozenset(
    b"transfer-encoding content-length host connection upgrade te trailer expect keep-alive proxy-connection"
    b" authorization x-api-key api-key cookie set-cookie forwarded via max-forwards content-type"
    b" content-encoding content-range cache-control x-forwarded-for x-forwarded-host x-forwarded-proto"
    b" x-real-ip".split()
)
"""Fields that frame, route or authenticate a message must not come after it (RFC 9110, 6.5.1)."""

_SIZE, _DATA, _DATA_END, _TRAILERS = 0, 1, 2, 3


class Chunks:
    """Follows the chunked framing of a stream that is passed on unchanged."""

    __slots__ = ("_line", "_state", "_trailers", "left")

    def __init__(self) -> None:
        self._state = _SIZE
        self._line = b""
        self._trailers = 0
        self.left = 0

    def feed(self, data: bytes) -> int:
        """The index after the end of the message, 0 if it goes on, -1 if the framing is broken."""
        return self._walk(data, None)

    def decode(self, data: bytes, out: list[bytes]) -> int:
        """As :meth:`feed`, and appends the contents without the framing to ``out``."""
        return self._walk(data, out)

    def _walk(self, data: bytes, out: list[bytes] | None) -> int:  # noqa: C901 - one pass, hot
        at, size = 0, len(data)
        while at < size:
            if self._state == _DATA:
                step = min(self.left, size - at)
                if out is not None:
                    out.append(data[at : at + step])
                at += step
                self.left -= step
                if not self.left:
                    self._state = _DATA_END
                continue
            newline = data.find(b"\n", at)
            stop = size if newline < 0 else newline + 1
            line = self._line + data[at:stop] if self._line else data[at:stop]
            at = stop
            if newline < 0:
                self._line = line
                if not self._may_become_line(line):
                    return -1
                continue
            self._line = b""
            if self._state == _DATA_END:
                if line != b"\r\n":
                    return -1
                self._state = _SIZE
            elif self._state == _SIZE:
                match = _size_line(line) if len(line) <= MAX_SIZE_LINE else None
                if match is None:
                    return -1
                self.left = int(match[1], 16)
                self._state = _DATA if self.left else _TRAILERS
            elif line == b"\r\n":
                self._state = _SIZE
                self._trailers = 0
                return at
            else:
                self._trailers += len(line)
                match = _trailer_line(line)
                if match is None or self._trailers > MAX_TRAILERS or match[1].lower() in FORBIDDEN_TRAILERS:
                    return -1
        return 0

    def _may_become_line(self, line: bytes) -> bool:
        if self._state == _DATA_END:
            return line == b"\r"
        if self._state == _SIZE:
            return len(line) <= MAX_SIZE_LINE
        return self._trailers + len(line) <= MAX_TRAILERS
