"""GET /desk/second-factor/: where an operator begins who has no second factor yet."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from tollkeeper.accounts import queries as accounts


@require_safe
@never_cache
@login_required
def factor(request: HttpRequest) -> HttpResponse:
    """Shows the two ways; whoever has a factor goes on to where they wanted to be."""
    person: Any = request.user
    if not person.is_staff:
        raise Http404
    wanted = request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(wanted, {request.get_host()}):
        wanted = reverse("desk")
    if accounts.has_factor(person.pk):
        return redirect(wanted)
    return render(request, "desk/factor.html")


urlpatterns = [path("desk/second-factor/", factor, name="desk_factor")]
