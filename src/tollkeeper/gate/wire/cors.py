"""Calls from browsers: which origins may read answers, per setting of the shop (Fetch standard, 3.2)."""

from __future__ import annotations

from tollkeeper.gate.answers import Answer
from tollkeeper.gate.heads import field_value

EXPOSED = (
    b"X-Request-Id, RateLimit, RateLimit-Policy, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining,"
    b" X-RateLimit-Reset"
)


def allowed_origin(head: bytes, origins: tuple[str, ...]) -> bytes:
    """Head lines that let the request's origin read the answer; only ``Vary`` if it may not."""
    origin = field_value(head, b"origin") or b""
    if "*" in origins:
        return b"\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: " + EXPOSED
    if origin.decode("latin-1") in origins:
        return (
            b"\r\nAccess-Control-Allow-Origin: %b\r\nVary: Origin\r\nAccess-Control-Expose-Headers: %b"
        ) % (origin, EXPOSED)
    return b"\r\nVary: Origin"


def preflight_answer(head: bytes, methods: tuple[bytes, ...]) -> Answer | None:
    """The answer to a preflight request; None if it is none."""
    if field_value(head, b"access-control-request-method") is None:
        return None
    wanted = field_value(head, b"access-control-request-headers") or b"authorization, content-type"
    fields = (
        b"\r\nAccess-Control-Allow-Methods: %b\r\nAccess-Control-Allow-Headers: %b"
        b"\r\nAccess-Control-Max-Age: 600"
    ) % (b", ".join(methods) or b"GET", wanted)
    return Answer(204, b"", b"", fields, True)
