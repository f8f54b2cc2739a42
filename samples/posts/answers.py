"""How the sample API answers: JSON with an ETag, pages with a cursor, problems (RFC 9457)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

MAX_PAGE = 100
DEFAULT_PAGE = 20


class Problem(Exception):
    """Becomes an ``application/problem+json`` answer."""

    def __init__(self, status: int, code: str, detail: str, param: str = "") -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.param = status, code, detail, param


TITLES = {
    400: "The request cannot be understood",
    401: "The upstream credential is missing or wrong",
    404: "Not found",
    405: "Method not allowed",
    413: "The body is too large",
    415: "The body must be JSON",
    422: "A value is not allowed",
}


def problem(error: Problem) -> Response:
    """The answer for a problem."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES[error.status],
        "status": error.status,
        "code": error.code,
        "detail": error.detail,
    }
    if error.param:
        body["param"] = error.param
    return Response(msgspec.json.encode(body), error.status, media_type="application/problem+json")


def answer(request: Request, body: Any) -> Response:
    """200 with an ETag, or 304 if the caller has this very body; what was posted is never cached."""
    data = msgspec.json.encode(body)
    if request.method == "POST":
        return Response(data, headers={"Cache-Control": "no-store"}, media_type="application/json")
    etag = f'"{hashlib.blake2b(data, digest_size=12).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type="application/json")


class Identified(Protocol):
    """A record with an id."""

    @property
    def id(self) -> str: ...


Record = TypeVar("Record", bound=Identified)


def number(request: Request, name: str, default: int, low: int, high: int) -> int:
    """A whole number of the query within bounds; raises :class:`Problem`."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or not low <= int(text[:9]) <= high:
        raise Problem(422, "bad_value", f"{name} must be a whole number from {low} to {high}", name)
    return int(text)


def choice(request: Request, name: str, allowed: Sequence[str]) -> str:
    """One of the allowed words, the first one being the default; raises :class:`Problem`."""
    text = request.query_params.get(name, allowed[0])
    if text not in allowed:
        raise Problem(422, "bad_value", f"{name} must be one of {', '.join(filter(None, allowed))}", name)
    return text


def page(request: Request, records: Sequence[Record]) -> tuple[Sequence[Record], dict[str, Any]]:
    """The asked-for page of ``records`` and its ``meta``; the cursor names the last record seen."""
    limit = number(request, "limit", DEFAULT_PAGE, 1, MAX_PAGE)
    start = 0
    cursor = request.query_params.get("cursor")
    if cursor is not None:
        last = _open_cursor(cursor)
        start = next((at + 1 for at, record in enumerate(records) if record.id == last), -1)
        if start < 0:
            raise Problem(400, "bad_cursor", "this cursor does not belong to this list", "cursor")
    found = records[start : start + limit]
    more = start + limit < len(records)
    return found, {"count": len(found), "next_cursor": _make_cursor(found[-1].id) if more else None}


def _make_cursor(identity: str) -> str:
    return base64.urlsafe_b64encode(f"after:{identity}".encode()).decode().rstrip("=")


def _open_cursor(text: str) -> str:
    try:
        plain = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        plain = ""
    if not plain.startswith("after:"):
        raise Problem(400, "bad_cursor", "a cursor is the next_cursor of the page before", "cursor")
    return plain.removeprefix("after:")
