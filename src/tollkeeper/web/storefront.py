"""The pages before anybody signs in: what is sold, and for how much."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language

from tollkeeper.catalog import queries as catalog
from tollkeeper.core.terms import GateTerms, LimitTerms, PlanTerms, PriceTerms, RouteTerms
from tollkeeper.flows import selling


@dataclass(frozen=True, slots=True)
class PlanCard:
    """A plan as a price tag: one price shown large, the others beside it."""

    plan: PlanTerms
    price: PriceTerms
    others: tuple[PriceTerms, ...]
    limit: LimitTerms | None
    unsold: str = ""
    """Why it cannot be bought now: a word of ``selling.unsold``."""

    @property
    def free(self) -> bool:
        return self.price.amount_minor == 0


def plan_cards(language: str | None = None) -> tuple[PlanCard, ...]:
    """The plans on offer, with the price in the shop's own currency first."""
    currency = catalog.current_shop().currency
    cards, unsold = [], selling.unsold()
    for plan in catalog.list_plans(language or get_language()):
        prices = sorted(plan.prices, key=lambda price: price.currency != currency)
        limits = plan.key.limits
        cards.append(
            PlanCard(
                plan, prices[0], tuple(prices[1:]), limits[0] if limits else None, unsold.get(plan.slug, "")
            )
        )
    return tuple(cards)


def example_route(terms: GateTerms) -> RouteTerms | None:
    """A route that can be called as it stands: a GET without a placeholder, the cheapest first."""
    simple = [route for route in terms.routes if "{" not in route.path and "GET" in route.methods]
    return min(simple, key=lambda route: route.cost, default=None)


def paths() -> dict[str, str]:
    """Path by name of route: what people know an endpoint by."""
    return {route.name: route.path for route in catalog.gate_terms().routes}


def home(request: HttpRequest) -> HttpResponse:
    """GET /"""
    terms = catalog.gate_terms()
    cards = plan_cards()
    return render(
        request,
        "storefront/home.html",
        {
            "cards": cards,
            "has_free": any(card.free for card in cards),
            "routes": terms.routes,
            "example": example_route(terms),
            "gate_url": settings.ENV.gate_url,
            "unit": next(iter(catalog.current_shop().units.values())),
        },
    )


def plans(request: HttpRequest) -> HttpResponse:
    """GET /plans/"""
    return render(request, "storefront/plans.html", {"cards": plan_cards()})
