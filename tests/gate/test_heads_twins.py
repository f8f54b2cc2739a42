"""The compiled parser and its pure twin agree, and llhttp and h11 frame alike what they accept."""

from __future__ import annotations

import random
from itertools import pairwise
from types import ModuleType

import h11
import httptools
import pytest

from tests.gate.leaves import load_leaf
from tollkeeper.gate import chunks, heads

SEED = 20261123
NAMES = [
    *b"Host host Authorization X-Api-Key Api-Key Content-Length Transfer-Encoding Connection".split(),
    *b"Expect TE Upgrade Origin Cookie X-Forwarded-For Forwarded Via Accept X-A Proxy-Foo".split(),
    *b"Keep-Alive Server RateLimit-X Trailer Content-Type Content-Encoding X-Cache".split(),
    *b"Set-Cookie Access-Control-Allow-Origin".split(),
    *(
        b"X-B\xff",
        b"Bad Name",
        b"",
        b"A:B",
        b"X-Request-Id",
        b"OpenAI-Project",
        b"Tollkeeper-X",
        b"http2-settings",
    ),
]
VALUES = [
    *(
        b"a",
        b"",
        b" ",
        b"Bearer abc",
        b"bearer  x ",
        b"Bearer",
        b"Basic q",
        b"5",
        b" 5 ",
        b"+5",
        b"-1",
        b"0x5",
    ),
    *(b"5, 5", b"99999999999999999", b"007", b"chunked", b"Chunked ", b"chunked, chunked", b"gzip, chunked"),
    *(
        b"close",
        b"keep-alive",
        b"close, x-foo",
        b"upgrade",
        b"Upgrade, TE",
        b", ,close",
        b"websocket",
        b"h2c",
    ),
    *(b"100-continue", b"zzz", b"a\x00b", b"a\nb", b"a\rb", b"caf\xc3\xa9", b"x" * 300, b"\t5\t", b"\x0b5"),
    *(
        b"a\x7fb",
        b"application/json",
        b"text/event-stream; x",
        b"gzip",
        b"identity",
        b"HIT",
        b"[::1]:80",
        b"a:b",
    ),
]
REQUEST_LINES = [
    *(
        b"GET / HTTP/1.1",
        b"POST /v1/x?y=1 HTTP/1.1",
        b"HEAD / HTTP/1.0",
        b"GET  / HTTP/1.1",
        b"GET //a HTTP/1.1",
    ),
    *(
        b"GET http://a/ HTTP/1.1",
        b"GET / HTTP/2.0",
        b"get / HTTP/1.1",
        b"G(T / HTTP/1.1",
        b"GET /\xff HTTP/1.1",
    ),
    *(
        b"GET / HTTP/1.1 ",
        b" GET / HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"GET /a b HTTP/1.1",
        b"",
        b"GET / HTTP/1.",
    ),
    *(b"GET /", b"GET /#x HTTP/1.1", b"GET /\\x HTTP/1.1", b"A" * 21 + b" / HTTP/1.1"),
]
STATUS_LINES = [
    *(b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 ", b"HTTP/1.1 304", b"HTTP/1.1 103 x"),
    *(b"HTTP/1.1 99 x", b"HTTP/1.1 1000 x", b"HTTP/1.1 101 S", b"HTTP/2 200", b"HTTP/1.1  200"),
    *(
        b"HTTP/1.1 200\tOK",
        b"http/1.1 200 OK",
        b"HTTP/1.1 2x0 OK",
        b"",
        b"HTTP/1.1 200 caf\xe9",
        b"HTTP/1.1 099 x",
    ),
]


@pytest.fixture(scope="module")
def leaf() -> ModuleType:
    return load_leaf("_heads")


def make_head(chance: random.Random, lines: list[bytes], common: int) -> bytes:
    first = chance.choice(lines[:common] if chance.random() < 0.8 else lines)
    fields = []
    for _ in range(chance.randrange(6)):
        if chance.random() < 0.25:
            colon = chance.choice([b":", b": ", b" :", b":\t", b""])
            fields.append(chance.choice(NAMES) + colon + chance.choice(VALUES))
        else:
            fields.append(chance.choice(NAMES[:27]) + b": " + chance.choice(VALUES[:30]))
    if chance.random() < 0.8:
        fields.append(b"Host: a")
    if chance.random() < 0.05:
        fields.append(chance.choice([b" folded", b"\tfolded", b"nocolon"]))
    head = bytearray(b"\r\n".join([first, *fields]))
    if chance.random() < 0.1:
        for _ in range(chance.randrange(1, 3)):
            if head:
                head[chance.randrange(len(head))] = chance.choice(b"\0\n\r \t:\x7f\x80aZ")
    return bytes(head)


def make_chunks(chance: random.Random) -> bytes:
    parts = []
    for _ in range(chance.randrange(4)):
        size = chance.randrange(1, 40)
        extension = chance.choice([b"", b"", b"", b";a=b", b" ", b';x="y\\"z"', b";", b";a=", b";a b"])
        parts.append(b"%x%b\r\n%b\r\n" % (size, extension, chance.randbytes(size)))
    trailer = chance.choice([b"", b"", b"T: v\r\n", b"Content-Length: 1\r\n", b"T : v\r\n", b"T: \x01\r\n"])
    body = bytearray(b"".join(parts) + b"0\r\n" + trailer + b"\r\n" + chance.choice([b"", b"GET"]))
    if chance.random() < 0.3:
        for _ in range(chance.randrange(1, 3)):
            body[chance.randrange(len(body))] = chance.choice(b"\0\n\r ;0aFg\xff")
    return bytes(body)


def cut(chance: random.Random, data: bytes) -> list[bytes]:
    places = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(4)))
    return [data[a:b] for a, b in pairwise([0, *places, len(data)])]


def follow(module: ModuleType, pieces: list[bytes]) -> tuple[int, bytes]:
    """Where the message ends (-1 broken, 0 not yet), and its contents; feed and decode must agree."""
    plain, decoding, contents, at = module.Chunks(), module.Chunks(), [], 0
    for piece in pieces:
        end = plain.feed(piece)
        assert decoding.decode(piece, contents) == end
        if end:
            return (at + end if end > 0 else -1), b"".join(contents)
        at += len(piece)
    return 0, b"".join(contents)


def test_heads_are_read_alike(leaf: ModuleType) -> None:
    chance = random.Random(SEED)
    accepted = 0
    for _ in range(30_000):
        rest = b"" if chance.random() < 0.02 else b"\r\n\r\nBODY\r\n\r\n"
        if chance.random() < 0.6:
            data = make_head(chance, REQUEST_LINES, 3) + rest
            expected = heads.parse_request(data)
            assert leaf.parse_request(data) == expected, data
            accepted += not isinstance(expected, int)
        else:
            data = make_head(chance, STATUS_LINES, 5) + rest
            was_head = chance.random() < 0.2
            answer = heads.parse_response(data, was_head)
            assert leaf.parse_response(data, was_head) == answer, data
            accepted += not isinstance(answer, int)
    assert accepted > 3000


@pytest.mark.parametrize("size", [0, 1, 3, 100, 4000, 4100, 60_000])
def test_heads_of_any_size_are_read_alike(leaf: ModuleType, size: int) -> None:
    chance = random.Random(size)
    value = bytes(chance.choices([*range(0x20, 0x7F), *range(0x80, 0x100)], k=size))
    for control in (b"", b"\t", b"\x7f", b"\x1f"):
        field = b"X-Long: " + value + control + value
        for fields in (field, b"Accept-Encoding: " + value, b"Accept-Encoding: a\r\nContent-Length: 5"):
            request = b"POST /x HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n\r\n"
            assert leaf.parse_request(request) == heads.parse_request(request)
            assert leaf.parse_request(request[:-1]) == heads.parse_request(request[:-1]) == 0
            answer = b"HTTP/1.0 200 fine\r\nContent-Length: 007\r\n" + fields[:-2] + b"\r\n\r\n"
            assert leaf.parse_response(answer, False) == heads.parse_response(answer, False)


def test_a_head_that_lacks_its_end_is_waited_for(leaf: ModuleType) -> None:
    whole = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    for module in (heads, leaf):
        for size in range(len(whole)):
            assert module.parse_request(whole[:size]) == 0
        assert module.parse_request(b"not HTTP at all") == 0
        assert module.parse_request(b"not HTTP at all\r\n\r\n") == 400
        assert module.parse_response(b"HTTP/1.1 200 OK\r\n", False) == 0
        assert module.parse_response(b"SSH-2.0-x\r\n\r\n", False) == 502


def test_what_a_meter_may_replace_ends_with_the_framing(leaf: ModuleType) -> None:
    start = b"POST / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n"
    for module in (heads, leaf):
        head = module.parse_request(start + b"Content-Length: 5\r\naccept-encoding: gzip\r\n\r\n")
        assert head[5:7] == (b"\r\nX-A: b", b"\r\nAccept-Encoding: gzip\r\nContent-Length: 5")
        head = module.parse_request(start + b"Transfer-Encoding: Chunked\r\nX-C: d\r\n\r\n")
        assert head[5:7] == (b"\r\nX-A: b\r\nX-C: d", b"\r\nTransfer-Encoding: chunked")


def test_shapes_of_heads_are_kept_within_bounds() -> None:
    for number in range(2000):
        head = heads.parse_request(b"GET / HTTP/1.1\r\nHost: a\r\nX-%d: b\r\n\r\n" % number)
        assert not isinstance(head, int)
        assert head[5] == b"\r\nX-%d: b" % number
    long = b"GET / HTTP/1.1\r\nHost: a\r\nX-%b: b\r\n\r\n" % (b"y" * heads._SHAPE_MAX)
    for _ in range(200):
        assert heads.parse_request(long) != 400
    assert len(heads._requests) <= heads._SHAPES
    assert max(sum(map(len, names)) for names in heads._requests) <= heads._SHAPE_MAX
    assert len(heads._requests.learned) <= heads._RECENT


def test_a_shape_that_was_learned_is_read_as_it_was_before(
    leaf: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pattern made for a shape gives what the way without one gives, and what the compiled twin gives."""
    monkeypatch.setattr(heads, "_LEARNED_AFTER", 1)
    chance = random.Random(SEED)
    learned = 0
    for _ in range(4000):
        request = make_head(chance, REQUEST_LINES, 3) + b"\r\n\r\nBODY"
        answer = make_head(chance, STATUS_LINES, 5) + b"\r\n\r\nBODY"
        for _ in range(2):
            assert heads.parse_request(request) == leaf.parse_request(request), request
            assert heads.parse_response(answer, False) == leaf.parse_response(answer, False), answer
        learned += not isinstance(heads.parse_request(request), int)
        other = request.replace(b": ", b":\t ").replace(b"a", b"\x07" if chance.random() < 0.3 else b"b")
        assert heads.parse_request(other) == leaf.parse_request(other), other
    assert learned > 500
    assert heads._requests.learned[0].match is not None


def test_chunks_are_followed_alike() -> None:
    leaf = load_leaf("_chunks")
    chance = random.Random(SEED)
    ended = 0
    for _ in range(15_000):
        pieces = cut(chance, make_chunks(chance))
        expected = follow(chunks, pieces)
        assert follow(leaf, pieces) == expected, pieces
        ended += expected[0] > 0
    assert ended > 3000


class Llhttp:
    """What llhttp makes of a request."""

    def __init__(self, data: bytes) -> None:
        self.body = b""
        self.complete = self.refused = False
        parser = httptools.HttpRequestParser(self)
        try:
            parser.feed_data(data)
            self.keep = parser.should_keep_alive()
        except httptools.HttpParserUpgrade:
            self.complete = True
        except httptools.HttpParserError:
            self.refused = True

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = True


def h11_body(data: bytes) -> bytes | None:
    """The body as h11 frames it; None if it refuses the request."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    body = b""
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) or event in (h11.NEED_DATA, h11.PAUSED):
                return body
    except h11.RemoteProtocolError:
        return None


def test_what_we_accept_others_frame_alike() -> None:
    """A request that passes here must have the same body for an upstream built on llhttp or h11."""
    chance = random.Random(SEED)
    compared = 0
    for _ in range(20_000):
        start = make_head(chance, REQUEST_LINES, 3) + b"\r\n\r\n"
        head = heads.parse_request(start)
        if isinstance(head, int):
            continue
        flags, method, target, _, length, fields, replaceable, end = head
        if end + 4 != len(start):
            continue
        if method not in (b"GET", b"POST", b"HEAD"):
            continue  # no route takes it, so it never goes on
        wire = b"%b %b HTTP/1.1%b%b\r\nHost: upstream\r\n\r\n" % (method, target, fields, replaceable)
        if flags & heads.CHUNKED:
            sent = make_chunks(chance)
            where, contents = follow(chunks, [sent])
            if where <= 0:
                continue
            sent = sent[:where]
        else:
            contents = sent = b"x" * min(max(length, 0), 1000)
            if length > 1000:
                continue
        wire += sent
        llhttp = Llhttp(wire)
        assert not llhttp.refused, wire
        assert llhttp.complete, wire
        assert llhttp.body == contents, wire
        assert h11_body(wire) in (contents, None), wire
        compared += 1
    assert compared > 2000
