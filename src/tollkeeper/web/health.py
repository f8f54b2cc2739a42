"""GET /healthz: whether this process can do its work, for supervisors and load balancers."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 with ``{"ok": true}`` if the book answers, else 503; never cached, no details."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        ok = True
    except DatabaseError:
        ok = False
    return JsonResponse({"ok": ok}, status=200 if ok else 503, headers={"Cache-Control": "no-store"})
