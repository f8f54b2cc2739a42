"""The docs portal: the API's document, its costs, limits and errors, with code to paste. No script needed."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import get_language

from tollkeeper.catalog import queries as catalog
from tollkeeper.catalog.crosscheck import covers
from tollkeeper.catalog.shopfile import GATE_OWN
from tollkeeper.core.terms import RouteTerms
from tollkeeper.web import docs_tables, openapi, prices, snippets
from tollkeeper.web.openapi import Document, Operation


def index(request: HttpRequest) -> HttpResponse:
    """GET /docs/: what the API is, and every call with its cost."""
    document, context = _portal()
    context["intro"] = (
        document.description.replace(document.server, settings.ENV.gate_url) if document.server else ""
    )
    return render(request, "docs/index.html", context)


def operation(request: HttpRequest, slug: str) -> HttpResponse:
    """GET /docs/<call>/: one call with parameters, answers and code."""
    document, context = _portal()
    found = document.find(slug)
    if found is None:
        raise Http404(slug)
    call = snippets.example(found, settings.ENV.gate_url)
    context |= {
        "operation": found,
        "route": route_of(found),
        "free": found.path in GATE_OWN,
        "places": [
            (where, found.wants(where)) for where in ("path", "query", "header") if found.wants(where)
        ],
        "snippets": snippets.snippets(call, context["variable"]),
        "good": next((r for r in found.responses if r.status.startswith("2")), None),
        "others": [r for r in found.responses if not r.status.startswith("2")],
    }
    return render(request, "docs/operation.html", context)


def rules(request: HttpRequest) -> HttpResponse:
    """GET /docs/errors/: every refusal, what each ending costs, and the limits of the plans."""
    document, context = _portal()
    terms = catalog.gate_terms()
    protocols = tuple(dict.fromkeys(route.protocol for route in terms.routes))
    context |= {
        "errors": docs_tables.ERRORS,
        "protocols": [docs_tables.PROTOCOLS[name] for name in protocols],
        "charges": docs_tables.charges(protocols),
        "plans": catalog.list_plans(get_language()),
        "models": terms.models,
        "max_body_mib": terms.max_body_bytes // (1024 * 1024),
        "document": document,
    }
    return render(request, "docs/errors.html", context)


def document_file(request: HttpRequest) -> HttpResponse:
    """GET /docs/openapi.json: the document itself, with this gate's address."""
    document, _ = _portal()
    raw = {**document.raw, "servers": [{"url": settings.ENV.gate_url}]}
    answer = JsonResponse(raw, json_dumps_params={"ensure_ascii": False})
    answer["Access-Control-Allow-Origin"] = "*"  # public, and tools read it from other pages
    return answer


def route_of(operation: Operation) -> RouteTerms | None:
    """The route that lets an operation through; None for what the gate answers itself."""
    routes = catalog.gate_terms().routes
    return next((r for r in routes if operation.method in r.methods and covers(r.path, operation.path)), None)


def _portal() -> tuple[Document, dict[str, Any]]:
    document = openapi.load(settings.ENV.shop)
    if document is None:
        raise Http404("this shop has no API document")
    shop = catalog.current_shop(get_language())
    costs = {op.slug: route_of(op) for tag in document.tags for op in tag.operations}
    context = {
        "document": document,
        "tags": document.tags,
        "costs": costs,
        "gate_url": settings.ENV.gate_url,
        "variable": snippets.variable(shop.name),
        "unit": next(iter(shop.units.values())),
        "gate_own": GATE_OWN,
    }
    return document, context


urlpatterns = [
    path("docs/", index, name="docs"),
    path("docs/errors/", rules, name="docs_errors"),
    path("docs/prices.json", prices.price_book, name="docs_prices"),
    path("docs/openapi.json", document_file, name="docs_openapi"),
    path("docs/<slug:slug>/", operation, name="docs_operation"),
]
