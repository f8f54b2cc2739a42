"""What only shows when the tables of a shop file are laid side by side.

Each check yields ``(path, message, remedy)``; none stops another, so that an operator
sees every mistake at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tollkeeper.catalog.schema import Overage, Plan, Route, ShopFile
from tollkeeper.core import money
from tollkeeper.core.toml_lines import Path

Finding = tuple[Path, str, str]


@dataclass(frozen=True, slots=True)
class Known:
    """Names of the plugins that are installed."""

    meters: tuple[str, ...]
    providers: tuple[str, ...]
    provisioners: tuple[str, ...]


def findings(shop: ShopFile, known: Known) -> Iterator[Finding]:
    """Every cross-table mistake of a well-formed file."""
    yield from _shop(shop, known)
    for slug, plan in shop.plans.items():
        yield from _plan(shop, slug, plan, known)
    yield from _routes(shop, known)
    yield from _targets(shop, known)


def _shop(shop: ShopFile, known: Known) -> Iterator[Finding]:
    yield from _repeated(("languages",), shop.languages, "language")
    for position, name in enumerate(shop.payments.providers):
        if name not in known.providers:
            yield _dangling(("payments", "providers", position), "payment provider", name, known.providers)
    yield from _repeated(("payments", "providers"), shop.payments.providers, "provider")
    bounds = [one.currency for one in shop.payments.refund_warned]
    yield from _repeated(("payments", "refund_warned"), bounds, "currency")
    for position, one in enumerate(shop.payments.refund_warned):
        yield from _fine(("payments", "refund_warned", position, "amount"), str(one.amount), one.currency)
    yield from _tax(shop)
    yield from _currencies(shop)
    yield from _languages(shop, ("brand",), shop.brand.words)
    for name, unit in shop.units.items():
        yield from _languages(shop, ("units", name), unit.words)


def _tax(shop: ShopFile) -> Iterator[Finding]:
    if shop.tax.mode == "none" and shop.tax.rates:
        yield (
            ("tax", "rates"),
            "rates without a tax",
            'remove them, or set mode to "inclusive" or "exclusive"',
        )
    if shop.tax.mode != "none" and not shop.tax.rates:
        yield ("tax", "mode"), "a tax without rates", 'add rates, like { DE = "19" }'
    for country, rate in shop.tax.rates.items():
        if rate > 100:
            yield ("tax", "rates", country), f"{rate} per cent is more than everything", "correct the rate"


def _currencies(shop: ShopFile) -> Iterator[Finding]:
    priced = {price.currency for plan in shop.plans.values() for price in plan.prices}
    if shop.currency not in priced:
        yield ("currency",), f"no plan has a price in {shop.currency}", "add one, or change the currency"
    for slug, plan in shop.plans.items():
        for currency in sorted(priced - {price.currency for price in plan.prices}):
            if plan.kind != "free":
                yield ("plans", slug, "prices"), f"has no price in {currency}, as other plans have", "add one"


def _languages(shop: ShopFile, here: Path, words: Mapping[str, object]) -> Iterator[Finding]:
    for language in words:
        if language not in shop.languages[1:]:
            yield _dangling((*here, "words", language), "other language", language, tuple(shop.languages[1:]))
    for language in shop.languages[1:]:
        if language not in words:
            yield here, f"has no words in {language}", f"add [{'.'.join(map(str, here))}.words.{language}]"


def _plan(shop: ShopFile, slug: str, plan: Plan, known: Known) -> Iterator[Finding]:
    here: Path = ("plans", slug)
    yield from _prices(here, plan)
    yield from _grants(shop, here, plan)
    if plan.kind == "pack" and plan.period is not None:
        yield (*here, "period"), "a pack is bought once", "remove the period, or make it a subscription"
    if plan.kind != "pack" and plan.refund_unspent is not None:
        yield (
            (*here, "refund_unspent"),
            "only a pack can be given back",
            "remove it: plans are cancelled instead",
        )
    if plan.kind == "subscription" and plan.period is None:
        yield here, "a subscription needs a period", 'add period = "month"'
    yield from _options(here, plan)
    yield from _beyond(here, plan)
    yield from _supply(shop, here, plan, known)
    yield from _limits(shop, here, plan)
    yield from _names(shop, here, plan)
    yield from _languages(shop, here, plan.words)


def _options(here: Path, plan: Plan) -> Iterator[Finding]:
    """What may be added to a plan that renews."""
    if plan.trial is not None and plan.kind != "subscription":
        yield (*here, "trial"), f"a {plan.kind} plan cannot be tried", "remove it, or make it a subscription"
    elif plan.trial is not None and any(grant.per != "period" for grant in plan.grants):
        yield (*here, "trial"), "what is given once cannot be tried", 'use grants with per = "period"'
    if plan.trial is not None and plan.trial.units == 0:
        yield (*here, "trial", "units"), "a trial without units", "write how many, or remove it"


def _beyond(here: Path, plan: Plan) -> Iterator[Finding]:
    """Overage and carry-over."""
    by_period = any(grant.per == "period" for grant in plan.grants)
    for name, there in (("overage", plan.overage is not None), ("carry_over", bool(plan.carry_over))):
        if there and (plan.kind != "subscription" or not by_period):
            yield (*here, name), "goes with units by the period", "make the plan a subscription, or remove it"
        elif there and plan.provisioner != "gate_key":
            yield (*here, name), "needs our own gate, which counts the units", "remove it"
    if plan.overage is not None:
        wanted = {price.currency for price in plan.prices}
        yield from _overage_prices((*here, "overage"), plan.overage, wanted)


def _overage_prices(place: Path, overage: Overage, wanted: set[str]) -> Iterator[Finding]:
    if not overage.per:
        yield (*place, "per"), "a price for no units", "write how many units the price is for"
    for currency in sorted(wanted - {price.currency for price in overage.prices}):
        yield (*place, "prices"), f"has no price in {currency}, as the plan has", "add one"
    yield from _repeated((*place, "prices"), [p.currency for p in overage.prices], "currency")
    for position, price in enumerate(overage.prices):
        here = (*place, "prices", position, "amount")
        yield from _fine(here, str(price.amount), price.currency)
        if not price.amount:
            yield here, "costs nothing", "name a price"


def _fine(place: Path, amount: str, currency: str) -> Iterator[Finding]:
    """An amount has no more decimals than its currency."""
    try:
        money.parse(amount, currency)
    except money.BadAmount:
        yield place, f"{amount} is finer than {currency}", f"use {money.decimals(currency)} decimals"


def _supply(shop: ShopFile, here: Path, plan: Plan, known: Known) -> Iterator[Finding]:
    """Who makes the key, and where."""
    if plan.provisioner not in known.provisioners:
        yield _dangling((*here, "provisioner"), "provisioner", plan.provisioner, known.provisioners)
    if plan.provisioner == "gate_key" and plan.target:
        yield (*here, "target"), "our own gate needs no target", "remove it"
    if plan.provisioner == "gate_key":
        return
    target = shop.targets.get(plan.target)
    if target is None:
        yield _dangling((*here, "target"), "target", plan.target, tuple(shop.targets))
    elif target.provisioner != plan.provisioner:
        wrong = f"{plan.target!r} belongs to {target.provisioner}, not to {plan.provisioner}"
        yield (*here, "target"), wrong, "correct one of them"
    elif not target.resale_allowed:
        yield (
            (*here, "target"),
            f"{plan.target!r} is not known to allow resale",
            (f"read its terms, then set targets.{plan.target}.resale_allowed = true"),
        )


def _limits(shop: ShopFile, here: Path, plan: Plan) -> Iterator[Finding]:
    yield from _repeated((*here, "limits"), [limit.name for limit in plan.limits], "limit")
    seen: dict[tuple[str, int], int] = {}
    routes = [route for route in shop.routes if not plan.routes or route.name in plan.routes]
    counted = plan.provisioner != "gate_key" or any(route.meter == "tokens" for route in routes)
    for position, limit in enumerate(plan.limits):
        if limit.unit == "tokens" and not counted:
            place = (*here, "limits", position)
            yield place, "limits tokens, and no route of this plan counts any", "limit requests or units"
        first = seen.setdefault((limit.unit, limit.window), position)
        if first != position:
            place = (*here, "limits", position)
            yield place, f"limits {limit.unit} over the same window as limits[{first}]", "keep one of them"


def _names(shop: ShopFile, here: Path, plan: Plan) -> Iterator[Finding]:
    routes = {route.name for route in shop.routes}
    for position, name in enumerate(plan.routes):
        if name not in routes:
            yield _dangling((*here, "routes", position), "route", name, tuple(sorted(routes)))
    scopes = {route.scope for route in shop.routes if route.scope}
    for position, name in enumerate(plan.models):
        if name not in shop.models:
            yield _dangling((*here, "models", position), "model", name, tuple(shop.models))
    for position, name in enumerate(plan.scopes):
        if name not in scopes:
            yield _dangling((*here, "scopes", position), "scope", name, tuple(sorted(scopes)))


def _prices(here: Path, plan: Plan) -> Iterator[Finding]:
    seen: dict[tuple[str, str | None], int] = {}
    ids = [price.id for price in plan.prices if price.id]
    yield from _repeated((*here, "prices"), ids, "price")
    for position, price in enumerate(plan.prices):
        place = (*here, "prices", position)
        first = seen.setdefault((price.currency, price.period), position)
        if first != position:
            span = f" a {price.period}" if price.period else ""
            yield place, f"overlaps prices[{first}]: {price.currency}{span} again", "keep one of them"
        try:
            money.parse(str(price.amount), price.currency)
        except money.BadAmount:
            digits = money.decimals(price.currency)
            yield (
                (*place, "amount"),
                f"{price.amount} is finer than {price.currency}",
                f"use {digits} decimals",
            )
        if plan.kind == "free" and price.amount:
            yield (*place, "amount"), "a free plan costs nothing", 'write "0.00", or change the kind'
        if plan.kind != "free" and not price.amount:
            yield (*place, "amount"), "costs nothing", 'make the plan\'s kind "free", or name a price'
        monthly = plan.period == "month" and price.period == "year"
        if monthly and plan.provisioner != "gate_key":
            yield (
                (*place, "period"),
                "units by the month for a year's price need our own gate",
                'use period = "month", or provisioner = "gate_key"',
            )
        if plan.kind == "subscription" and price.period != plan.period and not monthly:
            yield (
                place,
                f"must renew every {plan.period or 'period'}",
                f'add period = "{plan.period or "month"}"',
            )
        if plan.kind != "subscription" and price.period is not None:
            yield (*place, "period"), f"a {plan.kind} plan is not charged again", "remove the period"


def _grants(shop: ShopFile, here: Path, plan: Plan) -> Iterator[Finding]:
    if not plan.grants and plan.provisioner == "gate_key":
        yield here, "gives no units, so no call would ever pass", 'add grants = [{ unit = "…", amount = … }]'
    units = {grant.unit for grant in plan.grants}
    if len(units) > 1:
        yield (*here, "grants"), "one plan, one unit", "split the plan, or price both in one unit"
    for position, grant in enumerate(plan.grants):
        place = (*here, "grants", position)
        if grant.unit not in shop.units:
            yield _dangling((*place, "unit"), "unit", grant.unit, tuple(shop.units))
        if grant.amount == 0:
            yield (*place, "amount"), "grants nothing", "write how many units, or remove the grant"
        if grant.per == "period" and plan.period is None:
            yield (
                (*place, "per"),
                "the plan has no period",
                'add period = "month" to the plan, or use per = "once"',
            )
        if grant.per == "period" and grant.lasts is not None:
            yield (*place, "lasts"), "what comes every period ends with it", "remove it"


def _routes(shop: ShopFile, known: Known) -> Iterator[Finding]:
    yield from _repeated(("routes",), [route.name for route in shop.routes], "route")
    for position, route in enumerate(shop.routes):
        here: Path = ("routes", position)
        if route.upstream not in shop.upstreams:
            yield _dangling((*here, "upstream"), "upstream", route.upstream, tuple(shop.upstreams))
        if route.meter not in known.meters:
            yield _dangling((*here, "meter"), "meter", route.meter, known.meters)
        if route.meter == "tokens" and not shop.models:
            yield (*here, "meter"), "tokens have no prices", "add [models.<name>] with input and output"
        yield from _repeated((*here, "methods"), route.methods, "method")
        for earlier in shop.routes[:position]:
            if set(route.methods) <= set(earlier.methods) and covers(earlier.path, route.path):
                yield here, f"is never reached: {earlier.name!r} above takes all its calls", "move it up"
                break
    used = {route.upstream for route in shop.routes}
    for name in shop.upstreams:
        if name not in used:
            yield ("upstreams", name), "no route leads here", "add a route or remove it"


def _targets(shop: ShopFile, known: Known) -> Iterator[Finding]:
    used = {plan.target for plan in shop.plans.values()}
    for name, target in shop.targets.items():
        if target.provisioner not in known.provisioners:
            place = ("targets", name, "provisioner")
            yield _dangling(place, "provisioner", target.provisioner, known.provisioners)
        if name in shop.upstreams:
            yield ("targets", name), "an upstream has this name, too", "rename one of them"
        if name not in used:
            yield ("targets", name), "no plan delivers from here", "name it in a plan or remove it"


def covers(wide: str, narrow: str) -> bool:
    """True if every path that ``narrow`` matches is matched by ``wide``."""
    wides, narrows = wide.split("/"), narrow.split("/")
    for position, segment in enumerate(wides):
        if segment.endswith("...}"):
            return len(narrows) >= position
        if position >= len(narrows):
            return False
        if narrows[position].endswith("...}"):
            return False
        if not segment.startswith("{") and segment != narrows[position]:
            return False
    return len(wides) == len(narrows)


def match(routes: list[Route], method: str, path: str) -> Route | None:
    """The first route for a path template, as the gate would choose it."""
    return next((r for r in routes if method in r.methods and covers(r.path, path)), None)


def _dangling(path: Path, what: str, name: str, known: tuple[str, ...]) -> Finding:
    return path, f"there is no {what} {name!r}", f"use {', '.join(known)}" if known else "none is there yet"


def _repeated(path: Path, names: list[str], what: str) -> Iterator[Finding]:
    for position, name in enumerate(names):
        if name in names[:position]:
            yield (*path, position), f"the {what} {name!r} stands here twice", "remove or rename one"
