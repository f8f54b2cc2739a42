"""How often authorities asked for data, year by year: for everybody, quiet years included."""

from __future__ import annotations

from dataclasses import asdict

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe

from tollkeeper.privacy import authorities, policy_queries


def _counts() -> list[authorities.YearCount]:
    now = timezone.now()
    return authorities.yearly_counts(policy_queries.first_year(now), now.year)


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """GET /privacy/authorities/"""
    values = {"counts": _counts(), "from_n": authorities.PUBLISH_FROM}
    return render(request, "policy/authorities.html", values)


@require_safe
def as_json(request: HttpRequest) -> HttpResponse:
    """GET /privacy/authorities.json"""
    rows = [asdict(one) for one in _counts()]
    return JsonResponse({"exact_from": authorities.PUBLISH_FROM, "years": rows})


urlpatterns = [
    path("privacy/authorities/", page, name="privacy_authorities"),
    path("privacy/authorities.json", as_json, name="privacy_authorities_json"),
]
