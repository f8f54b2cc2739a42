"""POST /hooks/relays/<target>: what relays say by themselves of keys of ours, checked by their provisioner.

What does not verify changes nothing. The answer counts keys: ``news`` was stored, ``older`` was
known, ``unknown`` is not ours, ``asked`` is looked at again at the relay.
"""

from __future__ import annotations

import logging
from dataclasses import asdict

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tollkeeper.flows import relay_pushes, relaying

MAX_BODY = 512 * 1024
log = logging.getLogger("tollkeeper.relaying")


@csrf_exempt
@require_POST
def relay_push(request: HttpRequest, target: str) -> HttpResponse:
    """400: not readable; 401: not by the relay, or not of now; 404: not expected; 413; 422: another unit."""
    try:
        if int(request.headers.get("Content-Length") or 0) > MAX_BODY:
            return _refuse(413, "The message is too large.")
        body = request.body
    except (ValueError, RequestDataTooBig):
        return _refuse(413, "The message is too large.")
    except UnreadablePostError:
        return _refuse(400, "The body ended early.")
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        taken = relay_pushes.take_push(target, headers, body, request.GET.get("secret", ""))
    except relay_pushes.BadPush as bad:
        log.warning("a message in the name of %s was refused: %s", target, bad)
        return _refuse(bad.status, f"{str(bad)[0].upper()}{str(bad)[1:]}.")
    except (relaying.NoTarget, relaying.Refused):
        return _refuse(404, "Nothing is expected from there.")
    return JsonResponse(asdict(taken), headers={"Cache-Control": "no-store"})


def _refuse(status: int, title: str) -> HttpResponse:
    answer = {"type": "about:blank", "title": title, "status": status}
    return JsonResponse(answer, status=status, content_type="application/problem+json")
