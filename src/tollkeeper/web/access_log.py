"""The access log: which page was asked for, what came of it, and a sealed address; nobody's name.

A page is written as its pattern (``orders/<str:number>/``): an address of ours can hold a code
or a number that belongs to somebody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from allauth.account.adapter import get_adapter
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import Resolver404, resolve
from django.utils import timezone

from tollkeeper.kit.access_log import note_access

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})


def logged(application: Application) -> Application:
    """The WSGI application with a line in the log for each answer."""

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        began = time.perf_counter()
        statuses: list[str] = []

        def start(status: str, *rest: Any) -> Any:
            statuses.append(status)
            return start_response(status, *rest)

        body = application(environ, start)
        facts = {
            "method": environ["REQUEST_METHOD"] if environ["REQUEST_METHOD"] in _METHODS else "OTHER",
            "page": _page(environ.get("PATH_INFO", "/")),
            "status": int(statuses[-1][:3]) if statuses else 0,
            "ms": round((time.perf_counter() - began) * 1000, 1),
        }
        note_access(_address(environ), facts, timezone.now())
        return body

    return answer


def _page(path: str) -> str | None:
    try:
        return str(resolve(path).route)
    except Resolver404:
        return None


def _address(environ: dict[str, Any]) -> str:
    request = HttpRequest()
    request.META = environ
    try:
        return str(get_adapter(request).get_client_ip(request))
    except PermissionDenied:  # allauth: the proxies did not say whom they speak for
        return str(environ.get("REMOTE_ADDR", ""))
