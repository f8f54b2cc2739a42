"""POST /hooks/leaks: keys that were found in public, in the form of GitHub's secret-scanning partners.

The answer to each finding is a label: ``true_positive`` for a key of ours (stopped by then),
``false_positive`` for anything else. What does not verify changes nothing.
"""

from __future__ import annotations

import logging

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tollkeeper.flows import leaks, reporters

MAX_BODY = 1024 * 1024
log = logging.getLogger("tollkeeper.leaks")


@csrf_exempt
@require_POST
def leak_report(request: HttpRequest) -> HttpResponse:
    """400: no list of findings; 401: not signed by a reporter; 413: too much; 503: come again."""
    key_id = request.headers.get("Github-Public-Key-Identifier", "")
    signature = request.headers.get("Github-Public-Key-Signature", "")
    try:
        if int(request.headers.get("Content-Length") or 0) > MAX_BODY:
            return _refuse(413, "The report is too large.")
        body = request.body
    except (ValueError, RequestDataTooBig):
        return _refuse(413, "The report is too large.")
    except UnreadablePostError:
        return _refuse(400, "The body ended early.")
    if not key_id or not signature:
        return _refuse(401, "The report is not signed.")
    try:
        found = leaks.read_report(body, key_id, signature, reporters.public_keys(key_id))
    except reporters.NoKeys:
        answer = _refuse(503, "The reporters' keys cannot be had at the moment; report again.")
        answer["Retry-After"] = str(reporters.ASK_AGAIN_S)
        return answer
    except leaks.BadReport as bad:
        log.warning("a leak report was refused: %s", bad)
        return _refuse(bad.status, f"{str(bad)[0].upper()}{str(bad)[1:]}.")
    verdicts = leaks.take_report(found)
    labels = [
        {
            "token_raw": verdict.token,
            "token_type": verdict.type,
            "label": "true_positive" if verdict.real else "false_positive",
        }
        for verdict in verdicts
    ]
    return JsonResponse(labels, safe=False, headers={"Cache-Control": "no-store"})


def _refuse(status: int, title: str) -> HttpResponse:
    answer = {"type": "about:blank", "title": title, "status": status}
    return JsonResponse(answer, status=status, content_type="application/problem+json")
