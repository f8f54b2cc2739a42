"""POST /hooks/<provider>: where providers tell us that something happened.

Answers fast and keeps little: verify, one inbox row without the event's content, 200; the work
is a job. What does not verify leaves nothing behind.
"""

from __future__ import annotations

import logging

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.urls import path
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tollkeeper.kit.jobs import enqueue
from tollkeeper.payments import services as payments
from tollkeeper.payments.providers import BadEvent, Refused
from tollkeeper.payments.registry import get_provider
from tollkeeper.web.leaks import leak_report
from tollkeeper.web.pushes import relay_push

MAX_BODY = 256 * 1024
log = logging.getLogger("tollkeeper.hooks")


def _refuse(status: int, code: str, title: str) -> HttpResponse:
    answer = {"type": "about:blank", "title": title, "status": status, "code": code}
    return JsonResponse(answer, status=status, content_type="application/problem+json")


@csrf_exempt
@require_POST
def hook(request: HttpRequest, provider: str) -> HttpResponse:
    """Take an event in. 400: not an event of this provider or of this mode; 413: too large."""
    try:
        if int(request.headers.get("Content-Length") or 0) > MAX_BODY:
            return _refuse(413, "too_large", "The event is larger than any event is.")
        body = request.body
    except (ValueError, RequestDataTooBig):
        return _refuse(413, "too_large", "The event is larger than any event is.")
    except UnreadablePostError:
        return _refuse(400, "truncated", "The body ended early.")
    try:
        hint = get_provider(provider).read_event(
            body, request.headers.get("Stripe-Signature", ""), timezone.now()
        )
    except Refused:
        return _refuse(404, "unknown_provider", "No such provider.")
    except BadEvent as error:
        log.warning("event refused: %s", error)
        return _refuse(400, "bad_event", str(error))
    if hint.livemode != settings.ENV.live:
        log.warning("event refused: it is of the other mode")
        return _refuse(400, "wrong_mode", "The event is of the other mode, live or test.")
    with transaction.atomic():
        inbox_id, fresh = payments.take_in(hint, timezone.now())
        if fresh:
            enqueue("take_event", f"event:{inbox_id}", inbox_id=inbox_id)
    return JsonResponse({"received": True, "new": fresh})


urlpatterns = [
    path("leaks", leak_report, name="hook_leaks"),
    path("relays/<slug:target>", relay_push, name="hook_relay_push"),
    path("<slug:provider>", hook, name="hook"),
]
