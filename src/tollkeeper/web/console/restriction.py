"""POST /console/privacy/restrict/: only store my data, or go on; the same act both ways."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from tollkeeper.flows import restriction
from tollkeeper.web.access import for_customer


@require_POST
@for_customer
def restrict(request: HttpRequest, customer_id: int) -> HttpResponse:
    """``wish`` is ``store``, ``serve`` (only store, but keep my service running) or ``lift``."""
    user: Any = request.user
    wish = request.POST.get("wish", "")
    if wish == "lift":
        restriction.lift(user.pk)
        messages.success(request, _("The restriction is lifted. Everything goes on."))
    elif wish in ("store", "serve"):
        restriction.restrict(user.pk, keep_service=wish == "serve")
        messages.success(request, _("From now on your data is only stored."))
    return redirect("console_privacy")
