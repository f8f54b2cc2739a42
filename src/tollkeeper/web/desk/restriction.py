"""Restricting a person's data from the desk, for whoever asks by letter; and the claim that lets one look."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from tollkeeper.accounts import queries as accounts
from tollkeeper.flows import restriction
from tollkeeper.web.access import for_privacy


@require_POST
@for_privacy
def restrict(request: HttpRequest, public_id: str) -> HttpResponse:
    """POST /desk/privacy/restrict/<number>/: ``wish`` is ``store``, ``serve`` or ``lift``."""
    person = accounts.find_person(public_id)
    if person is None:
        raise Http404
    wish = request.POST.get("wish", "")
    try:
        if wish == "lift":
            restriction.tell_and_lift(person)
            messages.success(request, _("The person was told, and the restriction is lifted."))
        elif wish in ("store", "serve"):
            restriction.restrict(person, keep_service=wish == "serve")
            messages.success(request, _("From now on this data is only stored."))
    except restriction.NotTold as no:
        messages.error(request, str(no))
    return redirect("desk_customer", public_id)


urlpatterns = [path("desk/privacy/restrict/<str:public_id>/", restrict, name="desk_privacy_restrict")]
