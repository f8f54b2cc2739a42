"""GET /docs/prices.json: what is sold and what calls cost, for programs. Public, and nobody's in particular.

Amounts of units are micro-units, money is in the currency's minor unit; a model's prices
are micro-units of the plan's unit per million tokens, in disjoint buckets.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from tollkeeper.catalog import queries as catalog
from tollkeeper.core.terms import ModelTerms, PlanTerms


@require_safe
def price_book(request: HttpRequest) -> JsonResponse:
    """``version`` changes whenever the price book does; it stands on each call's record, too."""
    shop, terms = catalog.current_shop(get_language()), catalog.gate_terms()
    answer = JsonResponse(
        {
            "shop": shop.name,
            "version": terms.version,
            "units": {
                name: {"one": unit.one, "many": unit.many, "currency": unit.currency}
                for name, unit in shop.units.items()
            },
            "plans": [_plan(request, plan) for plan in catalog.list_plans(get_language())],
            "models": [_model(model) for model in terms.models],
        },
        json_dumps_params={"ensure_ascii": False},
    )
    answer["Access-Control-Allow-Origin"] = "*"
    return answer


def _plan(request: HttpRequest, plan: PlanTerms) -> dict[str, Any]:
    return {
        "plan": plan.slug,
        "version": plan.version,
        "kind": plan.kind,
        "name": plan.name,
        "summary": plan.summary,
        "works_at": "relay" if plan.target else "gate",
        "refund_unspent_s": plan.refund_unspent_s,
        "prices": [
            {
                "price": price.id,
                "currency": price.currency,
                "amount_minor": price.amount_minor,
                "period": price.period,
                "url": request.build_absolute_uri(reverse("checkout", args=[plan.slug, price.id])),
            }
            for price in plan.prices
        ],
        "grants": [
            {"unit": grant.unit, "micro": grant.amount, "per": grant.per, "lasts_days": grant.lasts_days}
            for grant in plan.grants
        ],
        "limits": [
            {"name": limit.name, "unit": limit.unit, "amount": limit.amount, "window_s": limit.window_s}
            for limit in plan.key.limits
        ],
        "concurrency": plan.key.concurrency,
    }


def _model(model: ModelTerms) -> dict[str, Any]:
    return {
        "model": model.name,
        "input": model.input,
        "cache_read": model.input if model.cache_read is None else model.cache_read,
        "cache_write": model.input if model.cache_write is None else model.cache_write,
        "output": model.output,
        "per_call": model.per_call,
        "max_output": model.max_output,
    }
