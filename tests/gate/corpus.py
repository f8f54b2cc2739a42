"""Messages that servers frame differently, some that all must frame alike, and mutants of both."""

from __future__ import annotations

import random
from collections.abc import Iterator

SMUGGLING = {
    "CL+TE": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE+CL": b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "two equal lengths": b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "list of lengths": b"Content-Length: 5, 5\r\n\r\nhello",
    "length with plus": b"Content-Length: +5\r\n\r\nhello",
    "length in hex": b"Content-Length: 0x5\r\n\r\nhello",
    "empty length": b"Content-Length:\r\n\r\n",
    "negative length": b"Content-Length: -1\r\n\r\n",
    "huge length": b"Content-Length: 99999999999999999999\r\n\r\n",
    "length in other digits": "Content-Length: ٥\r\n\r\nhello".encode(),
    "TE with space before colon": b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "TE xchunked": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "TE chunked, identity": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "TE gzip, chunked": b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "TE twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE folded": b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "TE with vertical tab": b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "TE quoted": b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "bare LF": b"X: y\nContent-Length: 5\r\n\r\nhello",
    "bare CR": b"X: y\rContent-Length: 5\r\n\r\nhello",
    "NUL in a value": b"X: a\0b\r\n\r\n",
    "NUL in a name": b"X\0: a\r\n\r\n",
    "control in a value": b"X: a\x01b\r\n\r\n",
    "field without colon": b"Xyz\r\n\r\n",
    "field without name": b": x\r\n\r\n",
    "folded line": b"X: a\r\n b\r\n\r\n",
    "two hosts": b"Host: b\r\n\r\n",
    "two credentials": b"Authorization: Bearer zz\r\n\r\n",
    "chunk size with LF only": b"Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
    "chunk size too big": b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello",
    "chunk size negative": b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "chunk size with 0x": b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "chunk size with spaces": b"Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
    "chunk size empty": b"Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n",
    "chunk without end": b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloX0\r\n\r\n",
    "chunk extension with bare LF": b"Transfer-Encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n0\r\n\r\n",
    "length in a trailer": b"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n",
    "Connection names another field": b"Connection: x-a\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nok",
    "Connection names a framing field": b"Connection: content-length\r\nContent-Length: 5\r\n\r\nhello",
}
LINES = {
    "absolute form": b"GET http://x/smuggle HTTP/1.1",
    "authority form": b"CONNECT x:80 HTTP/1.1",
    "asterisk": b"OPTIONS * HTTP/1.1",
    "version 2": b"GET /smuggle HTTP/2.0",
    "version 0.9": b"GET /smuggle",
    "two spaces": b"GET  /smuggle HTTP/1.1",
    "tab": b"GET\t/smuggle HTTP/1.1",
    "trailing space": b"GET /smuggle HTTP/1.1 ",
    "fragment": b"GET /smuggle#x HTTP/1.1",
    "space in target": b"GET /smuggle x HTTP/1.1",
    "high byte in target": b"GET /smuggle\xff HTTP/1.1",
    "method with parenthesis": b"GE(T /smuggle HTTP/1.1",
    "leading CRLF": b"\r\nGET /smuggle HTTP/1.1",
}
INNER = b"GET /smuggled HTTP/1.1\r\nHost: upstream\r\n\r\n"
"""A request that only ever stands inside of something else."""
WHOLE = {
    "length": b"Content-Length: 5\r\n\r\nhello",
    "length with blanks around": b"Content-Length: \t 5 \t\r\n\r\nhello",
    "length with zeros": b"Content-Length: 005\r\n\r\nhello",
    "no body": b"Content-Length: 0\r\n\r\n",
    "no length at all": b"\r\n",
    "chunks": b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    "no chunks": b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding in capitals": b"Transfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "size in capitals": b"Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
    "size with zeros": b"Transfer-Encoding: chunked\r\n\r\n0005\r\nhello\r\n00\r\n\r\n",
    "extension": b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0;last\r\n\r\n",
    "quoted extension": b'Transfer-Encoding: chunked\r\n\r\n5;a="b;c"\r\nhello\r\n0\r\n\r\n',
    "trailers": b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-B: 2\r\n\r\n",
    "chunk of CRLF": b"Transfer-Encoding: chunked\r\n\r\n4\r\n\r\n\r\n\r\n0\r\n\r\n",
    "a request in the body": b"Content-Length: %d\r\n\r\n%b" % (len(INNER), INNER),
    "a request in a chunk": b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(INNER), INNER),
    "an end in a chunk": b"Transfer-Encoding: chunked\r\n\r\n7\r\n0\r\n\r\nGE\r\n0\r\n\r\n",
    "TE": b"TE: trailers\r\nConnection: TE\r\nContent-Length: 2\r\n\r\nok",
    "empty value": b"X-A:\r\nContent-Length: 2\r\n\r\nok",
    "a field like a length": b"X-Content-Length: 7\r\nContent_Length: 9\r\nContent-Length: 2\r\n\r\nok",
    "a field like a coding": b"X-Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
    "expect": b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
    "forwarded": b"X-Forwarded-For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nContent-Length: 2\r\n\r\nok",
    "method override": b"X-HTTP-Method-Override: DELETE\r\nContent-Length: 2\r\n\r\nok",
    "another target": b"X-Original-URL: /smuggled\r\nContent-Length: 2\r\n\r\nok",
}
"""Heads after the first fields, and bodies, that the gate lets through."""
_PIECES = [
    *(bytes([code]) for code in b'\r\n\t\0 :;,"-+0159afx\x0b\x7f\xff'),
    b"\r\n",
    b"\n\n",
    b"\r\n\r\n",
    b"0\r\n\r\n",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    INNER,
]


def mutants(count: int, seed: int) -> Iterator[bytes]:
    """Ends of messages, each changed in one to three places."""
    chance = random.Random(seed)
    ends = [*SMUGGLING.values(), *WHOLE.values()]
    for _ in range(count):
        data = chance.choice(ends)
        for _ in range(chance.choice((1, 1, 2, 3))):
            at = chance.randrange(len(data) + 1)
            how = chance.randrange(3)
            if how == 0:
                data = data[:at] + data[at + chance.randint(1, 3) :]
            elif how == 1:
                data = data[:at] + chance.choice(_PIECES) + data[at:]
            else:
                data = data[:at] + chance.choice(_PIECES) + data[at + 1 :]
        yield data
