"""Reads of what is offered. Every answer is frozen."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from tollkeeper.catalog.facts import ShopFacts, decode_shop_facts
from tollkeeper.catalog.models import GateSnapshot, PlanVersion, ShopSnapshot, Withheld
from tollkeeper.core.terms import (
    GateTerms,
    LineTerms,
    PlanTerms,
    PriceTerms,
    TargetTerms,
    decode_gate_terms,
    decode_plan_terms,
)


class NotOffered(LookupError):
    """A plan or a price that the shop does not offer (any more); the text names it."""


class NoShop(RuntimeError):
    """No shop has been loaded into this book yet."""


def current_shop(language: str | None = None) -> ShopFacts:
    """The shop as offered now, in ``language`` where it has words; raises :class:`NoShop`."""
    row = ShopSnapshot.objects.order_by("-version").values_list("content_hash", "body").first()
    if row is None:
        raise NoShop("no shop is loaded yet; run `tollkeeper migrate`")
    return _shop(*row, language)


def gate_terms() -> GateTerms:
    """What the gates obey now; raises :class:`NoShop`."""
    row = GateSnapshot.objects.order_by("-version").values_list("version", "body").first()
    if row is None:
        raise NoShop("no shop is loaded yet; run `tollkeeper migrate`")
    return _gate(*row)


def list_plans(language: str | None = None) -> tuple[PlanTerms, ...]:
    """The plans on offer, in the order of the shop file, in ``language`` where it has words."""
    offered = current_shop().plans
    rows = PlanVersion.objects.filter(slug__in=[slug for slug, _ in offered]).only("slug", "version", "terms")
    bodies = {(row.slug, row.version): row.terms for row in rows}
    return tuple(_localised(_plan(bodies[key]), language) for key in offered)


def plan_names(language: str | None = None) -> dict[str, str]:
    """What the plans on offer are called in ``language``, by slug."""
    return {plan.slug: plan.name for plan in list_plans(language)}


def withheld() -> frozenset[str]:
    """Slugs of the plans that an operator withholds from sale."""
    return frozenset(Withheld.objects.values_list("slug", flat=True))


def get_plan(slug: str, language: str | None = None, *, version: int | None = None) -> PlanTerms:
    """A plan on offer, or any ``version`` it ever had; raises :class:`NotOffered`."""
    if version is None:
        version = dict(current_shop().plans).get(slug)
        if version is None:
            raise NotOffered(f"the shop does not offer a plan {slug!r}")
    body = PlanVersion.objects.filter(slug=slug, version=version).values_list("terms", flat=True).first()
    if body is None:
        raise NotOffered(f"there never was version {version} of a plan {slug!r}")
    return _localised(_plan(body), language)


def get_price(slug: str, price_id: str) -> PriceTerms:
    """A price on offer; raises :class:`NotOffered`."""
    try:
        return get_plan(slug).price(price_id)
    except KeyError:
        raise NotOffered(f"the plan {slug!r} has no price {price_id!r}") from None


def get_line_terms(slug: str, price_id: str) -> LineTerms:
    """What an order line freezes at the moment of sale; raises :class:`NotOffered`."""
    try:
        return get_plan(slug).line(price_id)
    except KeyError:
        raise NotOffered(f"the plan {slug!r} has no price {price_id!r}") from None


@lru_cache(maxsize=16)
def _shop(content_hash: str, body: str, language: str | None) -> ShopFacts:
    facts = decode_shop_facts(body)
    return facts.told_in(language) if language else facts


def get_target(name: str) -> TargetTerms:
    """A relay account by name; raises :class:`NotOffered`."""
    try:
        return current_shop().targets[name]
    except KeyError:
        raise NotOffered(f"the shop has no target {name!r}") from None


@lru_cache(maxsize=4)
def _gate(version: int, body: str) -> GateTerms:
    return decode_gate_terms(body)


@lru_cache(maxsize=256)
def _plan(body: str) -> PlanTerms:
    return decode_plan_terms(body)


def _localised(plan: PlanTerms, language: str | None) -> PlanTerms:
    words = plan.translations.get(language or "")
    if words is None:
        return plan
    return msgspec.structs.replace(plan, name=words.name, summary=words.summary, features=words.features)
