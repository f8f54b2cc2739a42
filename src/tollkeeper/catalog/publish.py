"""From the file an operator writes to the facts that the rest of the house reads. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from tollkeeper.catalog.facts import SellerFacts, ShopFacts, TaxFacts, UnitFacts
from tollkeeper.catalog.schema import Limit, Overage, Plan, ShopFile, Trial, Upstream
from tollkeeper.core import money
from tollkeeper.core.terms import (
    MICRO,
    GateTerms,
    GrantTerms,
    KeyTerms,
    LimitTerms,
    ModelTerms,
    OverageTerms,
    PlanTerms,
    PlanText,
    PriceTerms,
    RouteTerms,
    TargetTerms,
    TrialTerms,
    UpstreamTerms,
)

PERIOD_PRIORITY = 10
PACK_PRIORITY = 20
"""Units of a period are spent first, because they are gone at its end; packs keep."""


def micro(amount: Decimal) -> int:
    """Units as the file writes them → micro-units, exactly."""
    return int(amount * MICRO)


def plan_terms(slug: str, plan: Plan, version: int = 0) -> PlanTerms:
    """One plan of the file as terms."""
    unit = plan.grants[0].unit if plan.grants else "calls"
    return PlanTerms(
        slug=slug,
        version=version,
        name=plan.name,
        summary=plan.summary,
        features=tuple(plan.features),
        kind=plan.kind,
        prices=tuple(
            PriceTerms(
                id=price.id or f"{price.currency.lower()}-{price.period or 'once'}",
                currency=price.currency,
                amount_minor=money.parse(str(price.amount), price.currency),
                period=price.period,
            )
            for price in plan.prices
        ),
        key=KeyTerms(
            plan=slug,
            unit=unit,
            limits=tuple(map(_limit, plan.limits)),
            concurrency=plan.concurrency,
            scopes=tuple(plan.scopes),
            routes=tuple(plan.routes),
            models=tuple(plan.models),
        ),
        grants=tuple(
            GrantTerms(
                unit=grant.unit,
                amount=micro(grant.amount),
                priority=_priority(grant.priority, grant.per),
                lasts_days=grant.lasts // 86_400 if grant.lasts else None,
                per=grant.per,
            )
            for grant in plan.grants
        ),
        period=plan.period,
        provisioner=plan.provisioner,
        target=plan.target,
        deliver_within_s=plan.deliver_within,
        refund_unspent_s=plan.refund_unspent or 0,
        once_per_customer=plan.once_per_customer,
        highlight=plan.highlight,
        trial=_trial(plan.trial),
        overage=_overage(plan.overage, unit),
        carry_over=micro(plan.carry_over),
        translations={
            language: PlanText(name=words.name, summary=words.summary, features=tuple(words.features))
            for language, words in plan.words.items()
        },
    )


def _priority(given: int | None, per: str) -> int:
    if given is not None:
        return given
    return PERIOD_PRIORITY if per == "period" else PACK_PRIORITY


def _trial(trial: Trial | None) -> TrialTerms | None:
    if trial is None:
        return None
    return TrialTerms(trial.days, trial.card, None if trial.units is None else micro(trial.units))


def _overage(overage: Overage | None, unit: str) -> tuple[OverageTerms, ...]:
    if overage is None:
        return ()
    return tuple(
        OverageTerms(unit, micro(overage.per), one.currency, money.parse(str(one.amount), one.currency))
        for one in overage.prices
    )


def _limit(limit: Limit) -> LimitTerms:
    amount, burst = limit.amount, limit.burst
    if limit.unit == "units":
        amount, burst = amount * MICRO, burst * MICRO
    return LimitTerms(name=limit.name, unit=limit.unit, amount=amount, window_s=limit.window, burst=burst)


def _addresses(upstream: Upstream, stand_in: str) -> list[tuple[str, int]]:
    """Where an upstream is reached, each with its weight; one stand-in plays all of it."""
    if stand_in:
        return [(stand_in, upstream.weight)]
    return [(upstream.url, upstream.weight), *((other.url, other.weight) for other in upstream.more)]


def _health_terms(upstream: Upstream) -> dict[str, Any]:
    health = upstream.health
    if health is None:
        return {}
    return {
        "health_path": health.path,
        "health_interval_s": float(health.interval),
        "health_timeout_s": float(health.timeout),
        "health_fails": health.fails,
        "health_passes": health.passes,
    }


def gate_terms(
    shop: ShopFile, addresses: Mapping[str, str], docs_url: str = "", version: int = 0
) -> GateTerms:
    """What the gates read. ``addresses`` overrides the address of upstreams by name."""
    return GateTerms(
        shop=shop.name,
        routes=tuple(
            RouteTerms(
                name=route.name,
                path=route.path,
                methods=tuple(route.methods),
                upstream=route.upstream,
                meter=route.meter,
                cost=micro(route.cost),
                scope=route.scope,
                retry_safe=route.retry_safe,
                protocol=route.protocol,
            )
            for route in shop.routes
        ),
        upstreams=tuple(
            UpstreamTerms(
                name=name,
                url=url,
                credential=upstream.credential,
                header=upstream.header,
                prefix=upstream.prefix,
                weight=weight,
                connect_timeout_s=float(upstream.connect_timeout),
                read_timeout_s=float(upstream.read_timeout),
                **_health_terms(upstream),
            )
            for name, upstream in shop.upstreams.items()
            for url, weight in _addresses(upstream, addresses.get(name, ""))
        ),
        version=version,
        max_body_bytes=shop.gate.max_body_mib * 1024 * 1024,
        cors_origins=tuple(shop.gate.cors_origins),
        docs_url=docs_url,
        suspended=shop.suspended,
        models=tuple(
            ModelTerms(
                name=name,
                input=micro(model.input),
                output=micro(model.output),
                cache_read=None if model.cache_read is None else micro(model.cache_read),
                cache_write=None if model.cache_write is None else micro(model.cache_write),
                per_call=micro(model.per_call),
                upstream_name=model.upstream_name,
                max_output=model.max_output,
            )
            for name, model in shop.models.items()
        ),
    )


def target_terms(shop: ShopFile, addresses: Mapping[str, str]) -> dict[str, TargetTerms]:
    """The relay accounts by name. ``addresses`` overrides where they are."""
    return {
        name: TargetTerms(
            name=name,
            provisioner=target.provisioner,
            url=addresses.get(name, target.url),
            credential=target.credential,
            public_url="" if name in addresses else target.public_url,
            resale_allowed=target.resale_allowed,
            options=dict(target.options),
        )
        for name, target in shop.targets.items()
    }


def shop_facts(
    shop: ShopFile, plans: tuple[tuple[str, int], ...], targets: dict[str, TargetTerms]
) -> ShopFacts:
    """The shop without its plans' bodies; ``plans`` are slugs with their versions."""
    priced = dict.fromkeys([shop.currency])
    priced.update(dict.fromkeys(price.currency for plan in shop.plans.values() for price in plan.prices))
    return ShopFacts(
        name=shop.name,
        brand=shop.brand.name,
        tagline=shop.brand.tagline,
        accent=shop.brand.accent,
        currency=shop.currency,
        currencies=tuple(priced),
        languages=tuple(shop.languages),
        seller=SellerFacts(
            legal_name=shop.seller.legal_name,
            address=tuple(shop.seller.address),
            country=shop.seller.country,
            email=shop.seller.email,
            phone=shop.seller.phone,
            vat_id=shop.seller.vat_id,
            register=shop.seller.register_,
        ),
        support_email=shop.support.email,
        support_hours=shop.support.hours,
        support_url=shop.support.url,
        tax=TaxFacts(shop.tax.mode, {country: int(rate * 100) for country, rate in shop.tax.rates.items()}),
        units={
            name: UnitFacts(
                one=unit.one,
                many=unit.many,
                currency=unit.currency,
                words={language: (words.one, words.many) for language, words in unit.words.items()},
            )
            for name, unit in shop.units.items()
        },
        plans=plans,
        providers=tuple(shop.payments.providers),
        suspended=shop.suspended,
        taglines={language: words.tagline for language, words in shop.brand.words.items()},
        targets=targets,
        refund_warned={
            one.currency: money.parse(str(one.amount), one.currency) for one in shop.payments.refund_warned
        },
    )


def fingerprint(terms: msgspec.Struct) -> str:
    """Hash of the content of terms whose ``version`` is 0: equal content, equal hash."""
    return hashlib.sha256(msgspec.json.encode(terms)).hexdigest()
