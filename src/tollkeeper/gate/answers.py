"""What the gate says itself: refusals, in the form the client's software expects.

Problem details (RFC 9457) by default; the error bodies of OpenAI and Anthropic on
their routes, so that unmodified SDKs raise the right exception and retry only
what may help.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from tollkeeper.gate.directory import Key


@dataclass(frozen=True, slots=True)
class Refusal:
    """One way to be refused; ``family`` names its error types in :data:`ERROR_TYPES`."""

    status: int
    title: str
    detail: str
    family: str = "invalid"
    keep: bool = True
    """The connection stays usable."""


ERROR_TYPES = {
    "invalid": ("invalid_request_error", "invalid_request_error"),
    "auth": ("authentication_error", "authentication_error"),
    "denied": ("permission_error", "permission_error"),
    "missing": ("invalid_request_error", "not_found_error"),
    "large": ("invalid_request_error", "request_too_large"),
    "quota": ("insufficient_quota", "billing_error"),
    "rate": ("rate_limit_error", "rate_limit_error"),
    "ours": ("server_error", "api_error"),
    "overloaded": ("server_error", "overloaded_error"),
}
"""Families of refusals as error types of the OpenAI and of the Anthropic API."""

REFUSALS: dict[str, Refusal] = {
    "malformed_request": Refusal(
        400, "Malformed request", "The request breaks the rules of HTTP/1.1 (RFC 9112).", keep=False
    ),
    "ambiguous_path": Refusal(
        400, "Ambiguous path", "The path has dot segments, empty segments or encoded slashes."
    ),
    "bad_chunk": Refusal(400, "Malformed body", "The chunked framing of the body is broken.", keep=False),
    "bad_body": Refusal(400, "Body not understood", "The body is not what this route takes."),
    "key_missing": Refusal(401, "Key missing", "Send your key as `Authorization: Bearer <key>`.", "auth"),
    "key_malformed": Refusal(
        401, "Key malformed", "This is not one of our keys: look for missing or extra characters.", "auth"
    ),
    "key_unknown": Refusal(401, "Key unknown", "No such key exists.", "auth"),
    "key_revoked": Refusal(401, "Key revoked", "This key was revoked; create a new one.", "auth"),
    "key_expired": Refusal(401, "Key expired", "This key has expired; create a new one.", "auth"),
    "quota_spent": Refusal(402, "Quota spent", "Your units are used up; buy more to go on.", "quota"),
    "key_suspended": Refusal(
        403, "Key suspended", "This key is suspended; see your console for why.", "denied"
    ),
    "shop_suspended": Refusal(403, "Shop suspended", "This API is not sold at the moment.", "denied"),
    "route_not_allowed": Refusal(
        403, "Route not allowed", "Your plan or this key does not include it.", "denied"
    ),
    "model_not_allowed": Refusal(
        403, "Model not allowed", "Your plan or this key does not include it.", "denied"
    ),
    "address_not_allowed": Refusal(
        403, "Address not allowed", "This key may not be used from your network.", "denied"
    ),
    "no_route": Refusal(404, "No such route", "This API has no such path.", "missing"),
    "model_unknown": Refusal(404, "Model unknown", "This API has no such model.", "missing"),
    "method_not_allowed": Refusal(405, "Method not allowed", "This path takes other methods; see Allow."),
    "request_too_slow": Refusal(408, "Request too slow", "The request did not arrive in time.", keep=False),
    "length_required": Refusal(411, "Length required", "Send a Content-Length or a chunked body."),
    "body_too_large": Refusal(
        413, "Body too large", "The body exceeds the limit of this API.", "large", keep=False
    ),
    "expectation_failed": Refusal(
        417, "Expectation failed", "Only 100-continue can be expected.", keep=False
    ),
    "encoding_not_supported": Refusal(
        415, "Encoding not supported", "Send the body without a content coding."
    ),
    "rate_limited": Refusal(429, "Too many requests", "A speed limit of your plan is reached.", "rate"),
    "too_many_in_flight": Refusal(
        429, "Too many calls at once", "Wait until one of your running calls has ended.", "rate"
    ),
    "head_too_large": Refusal(431, "Head too large", "The request's head exceeds 32 KiB.", keep=False),
    "upstream_bad": Refusal(
        502, "Upstream answer unusable", "The API behind us gave no usable answer.", "ours"
    ),
    "upstream_unreachable": Refusal(
        502, "Upstream unreachable", "The API behind us cannot be reached; nothing was charged.", "ours"
    ),
    "book_unreachable": Refusal(
        503, "Accounts unreachable", "We cannot look up your balance; try again shortly.", "ours"
    ),
    "not_ready": Refusal(503, "Not ready", "The gate is starting; try again shortly.", "ours"),
    "overloaded": Refusal(
        503, "Overloaded", "Too many connections; try again shortly.", "overloaded", keep=False
    ),
    "upstream_down": Refusal(
        503, "Upstream down", "The API behind us is not well; nothing was charged. Try again shortly.", "ours"
    ),
    "upstream_slow": Refusal(
        504, "Upstream too slow", "The API behind us did not answer in time; nothing was charged.", "ours"
    ),
}
"""Every code the gate can answer with; listed in the docs portal."""

REASONS = {
    200: b"OK",
    204: b"No Content",
    400: b"Bad Request",
    401: b"Unauthorized",
    402: b"Payment Required",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    411: b"Length Required",
    413: b"Content Too Large",
    415: b"Unsupported Media Type",
    417: b"Expectation Failed",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer of the gate. ``fields`` are head lines, each with CRLF before it."""

    status: int
    kind: bytes
    body: bytes
    fields: bytes
    keep: bool

    def head(self, request_id: bytes, keep: bool, extra: bytes = b"") -> bytes:
        """The head with its final CRLFCRLF."""
        closing = extra if keep else extra + b"\r\nConnection: close"
        if self.status == 204:
            return b"HTTP/1.1 204 No Content\r\nX-Request-Id: %b%b%b\r\n\r\n" % (
                request_id,
                self.fields,
                closing,
            )
        return (
            b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nContent-Length: %d\r\nCache-Control: no-store"
            b"\r\nX-Request-Id: %b%b%b\r\n\r\n"
        ) % (self.status, REASONS[self.status], self.kind, len(self.body), request_id, self.fields, closing)


def refuse(  # noqa: PLR0913 - one call per refusal, all by name
    code: str,
    request_id: str,
    *,
    protocol: str = "rest",
    docs_url: str = "",
    retry_after_s: int = -1,
    fields: bytes = b"",
    detail: str = "",
    reason: str = "",
) -> Answer:
    """The answer for a code of :data:`REFUSALS`."""
    refusal = REFUSALS[code]
    status = refusal.status
    text = detail or refusal.detail
    extra = fields
    body: dict[str, object]
    if status == 401:
        extra += b'\r\nWWW-Authenticate: Bearer realm="api"'
    if retry_after_s >= 0:
        extra += b"\r\nRetry-After: %d" % retry_after_s
    if protocol == "openai":
        if code == "quota_spent":  # what that API answers; its SDK must not try it again
            status = 429
            extra += b"\r\nX-Should-Retry: false"
        name = "insufficient_quota" if code == "quota_spent" else code
        error = {"message": text, "type": ERROR_TYPES[refusal.family][0], "param": None, "code": name}
        body = {"error": error, "origin": "gate", "request_id": request_id}
        kind = b"application/json"
    elif protocol == "anthropic":
        error = {"type": ERROR_TYPES[refusal.family][1], "message": text}
        body = {"type": "error", "error": error, "origin": "gate", "code": code, "request_id": request_id}
        kind = b"application/json"
        extra += b"\r\nRequest-Id: " + request_id.encode()
    else:
        body = {
            "type": f"{docs_url}#{code}" if docs_url else "about:blank",
            "title": refusal.title,
            "status": status,
            "detail": text,
            "code": code,
            "origin": "gate",
            "request_id": request_id,
        }
        if retry_after_s >= 0:
            body["retry_after_s"] = retry_after_s
        if reason:
            body["reason"] = reason
        kind = b"application/problem+json"
    return Answer(status, kind, msgspec.json.encode(body), extra, refusal.keep)


def plain(body: object) -> Answer:
    """A 200 with a JSON body."""
    return Answer(200, b"application/json", msgspec.json.encode(body), b"", True)


def limits_body(key: Key, mono_us: int) -> dict[str, object]:
    """The body of ``GET /v1/limits``."""
    terms = key.grant.terms
    return {
        "object": "limits",
        "plan": terms.plan,
        "limits": [
            {
                "name": limit.name,
                "unit": wanted.unit,
                "amount": limit.amount,
                "window_s": wanted.window_s,
                "burst": limit.burst,
                "remaining": limit.left(mono_us),
                "full_in_s": -(-limit.full_in_us(mono_us) // 1_000_000),
            }
            for limit, wanted in zip(key.limits, terms.limits, strict=True)
        ],
        "concurrency": {"limit": key.concurrency or None, "in_flight": key.customer.in_flight},
        "scopes": list(terms.scopes),
        "routes": list(terms.routes),
        "models": list(terms.models),
    }


def units(micro: int) -> int | float:
    """Micro-units as units: whole where they are whole."""
    return micro // 1_000_000 if micro % 1_000_000 == 0 else micro / 1_000_000
