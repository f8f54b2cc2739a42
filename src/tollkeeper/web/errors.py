"""Pages for when something is wrong: named in ``config.urls`` and the settings.

People get a page in the shop's look, programs a problem document (RFC 9457).
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Trouble:
    """What one status says to people."""

    status: int
    code: str
    title: str | Promise
    text: str | Promise


BAD_REQUEST = Trouble(
    400,
    "bad_request",
    _("That request was not understood"),
    _("Something in the address or the form was not as it should be. Nothing was changed."),
)
FORBIDDEN = Trouble(
    403,
    "forbidden",
    _("You may not see this"),
    _("This page exists, but not for the account you are signed in with."),
)
STALE_FORM = Trouble(
    403,
    "csrf_failed",
    _("This form has expired"),
    _(
        "For your safety a form works only in the browser in which it was opened, and only for a time. "
        "Nothing was changed. Go back, reload the page and send it again; cookies must be allowed."
    ),
)
NOT_FOUND = Trouble(
    404,
    "not_found",
    _("There is nothing here"),
    _("The address may be mistyped, or what was here is gone, or it belongs to another account."),
)
BROKEN = Trouble(
    500,
    "internal_error",
    _("Something broke on our side"),
    _("It was not your doing. It is in our log now; please try again in a moment."),
)


def _answer(request: HttpRequest, trouble: Trouble) -> HttpResponse:
    if not request.accepts("text/html"):
        body = {"type": "about:blank", "title": str(trouble.title), "status": trouble.status,
                "detail": str(trouble.text), "code": trouble.code, "origin": "web"}  # fmt: skip
        return JsonResponse(body, status=trouble.status, content_type="application/problem+json")
    values = {"trouble": trouble}
    if trouble.status >= 500:  # the book may be what is broken: a page that asks for nothing
        text = render_to_string("errors/bare.html", values | {"brand": settings.SHOP_NAME})
    else:
        text = render_to_string("errors/page.html", values, request)
    return HttpResponse(text, status=trouble.status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, BAD_REQUEST)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, FORBIDDEN)


def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _answer(request, STALE_FORM)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, NOT_FOUND)


def broken(request: HttpRequest) -> HttpResponse:
    return _answer(request, BROKEN)
