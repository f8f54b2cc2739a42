"""Another plan: a dearer one at once, for the difference; a cheaper one with the next period.

From monthly to yearly a new period begins at once, less what is left of the paid one; from yearly to
monthly with the next period. What seconds cost is reckoned with the largest remainder and is an
order like any other, so it is exact, is seen before it is paid, and works with every provider.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import msgspec
from django.db import transaction
from django.utils import timezone

from tollkeeper.catalog import queries as catalog
from tollkeeper.core.handout import Portion, portions
from tollkeeper.core.money import tax_inside
from tollkeeper.core.period import MONTHS, Period, nth, prorate
from tollkeeper.core.terms import GrantTerms, LineTerms, decode_line_terms, encode
from tollkeeper.flows import resuming, selling
from tollkeeper.flows.disclosing import about_customer
from tollkeeper.flows.purchase import end_unpaid
from tollkeeper.flows.taxes import tax_for
from tollkeeper.kit.jobs import Context, enqueue, job
from tollkeeper.payments.providers import Item, Rhythm
from tollkeeper.payments.registry import get_provider
from tollkeeper.sales import allowances, changes, plans, records
from tollkeeper.sales import queries as sales_queries
from tollkeeper.sales.changes import CannotChange, Offer

LEAST_LEFT = dt.timedelta(hours=24)
"""So close to the end of a period an upgrade waits for the next one."""

OPEN_FOR = dt.timedelta(hours=2)
"""How long the price of an upgrade holds."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What a change means. ``kind`` is ``upgrade`` (``due_minor`` now) or ``downgrade`` (from ``at``).

    ``until`` is the end of what is paid by then; ``anew`` says that a new rhythm begins.
    """

    kind: str
    due_minor: int
    credit_minor: int
    currency: str
    title: str
    amount_minor: int
    period: str
    at: dt.datetime
    units: tuple[tuple[str, int], ...]
    until: dt.datetime
    anew: bool


def quote_change(customer_id: int, number: str, plan: str, price: str) -> Quote:
    """What changing to ``plan`` would cost and give, without doing it.

    Raises ``sales.plans.NoSuchPlan``, ``CannotChange`` and ``catalog.queries.NotOffered``.
    """
    now = timezone.now()
    with transaction.atomic():
        held = plans.own_plan(customer_id, number)
        offer, span = _offer(held, plan, price), plans.present_period(held, now)
        return _quote(held, offer, span, now)


def change_plan(
    customer_id: int,
    number: str,
    plan: str,
    price: str,
    *,
    language: str = "en",
    seen_minor: int | None = None,
) -> str:
    """Change a plan; answers the number of the order that pays for an upgrade, or empty text.

    Raises as :func:`quote_change`, ``CannotChange`` (``moved``) if it costs more by now than was
    seen, and ``ProviderError`` if an earlier page cannot be closed.
    """
    if (waiting := sales_queries.waiting_upgrade(customer_id, number)) is not None:
        end_unpaid(waiting, "cancel")  # its page is closed first, so that only one of them can be paid
    now = timezone.now()
    with transaction.atomic():
        held = plans.own_plan(customer_id, number)
        offer, span = _offer(held, plan, price), plans.present_period(held, now)
        quote = _quote(held, offer, span, now)
        if seen_minor is not None and quote.due_minor > seen_minor:
            raise CannotChange("moved")
        if quote.kind == "upgrade" and changes.waits(held):
            _push_price(held)
        change = changes.request_change(held, offer, quote.kind, now, quote.at if quote.anew else None)
        if quote.kind == "downgrade":
            enqueue("push_change", f"change:push:{change.pk}", change_id=change.pk)
            return ""
        if span.ends_at - now < LEAST_LEFT:
            raise CannotChange("ends_soon")
        line = records.line(
            title=offer.plan.name if held.title == offer.plan.name else f"{held.title} → {offer.plan.name}",
            offer=offer,
            amount_minor=quote.due_minor,
            tax_minor=tax_inside(quote.due_minor, offer.tax_bp),
            terms=encode(_given(held, offer, span, quote.at)),
            bounds=(quote.at, quote.until),
            anchor_at=quote.at if quote.anew else None,
        )
        order = changes.order_change(change, line, expires_at=now + OPEN_FOR, language=language)
    return order.number


def keep_present_plan(customer_id: int, number: str) -> bool:
    """Take a downgrade back while the period lasts; False if there is none."""
    with transaction.atomic():
        held = plans.own_plan(customer_id, number)
        found = changes.withdraw_change(held)
        if found:
            _push_price(held)
            enqueue("reckon_tax", f"tax:{held.pk}:{held.version}", subscription_id=held.pk)
    return found


def _push_price(held: Any) -> None:
    """What was told of a change that is taken back is taken back, too."""
    turn = changes.touch(held)
    enqueue("push_price", f"price:{held.pk}:{turn}", subscription_id=held.pk, turn=turn)


def _offer(held: Any, plan: str, price: str) -> Offer:
    tax, wanted = tax_for(held.customer_id), catalog.get_plan(plan)
    if plan != held.plan and selling.why_unsold(wanted):
        raise CannotChange("not_sold")
    offer = changes.offer(wanted, catalog.get_price(plan, price), tax, held.coupon)
    changes.check_change(held, offer)
    return offer


def _quote(held: Any, offer: Offer, span: Period, now: dt.datetime) -> Quote:
    anew = offer.period != held.period
    if not changes.begins_at_once(held.period, held.amount_minor, offer.period, offer.amount_minor):
        return _quoted("downgrade", held, offer, (0, 0), (span.ends_at, span.ends_at), anew)
    _, credit = prorate(held.amount_minor - changes.off_at(held, span.starts_at), span, now)
    if not anew:
        cost = offer.amount_minor - changes.off_on_change(held, offer, span.starts_at)
        due = prorate(cost, span, now)[1] - credit
        return _quoted("upgrade", held, offer, (due, credit), (now, span.ends_at), anew, span)
    # whole seconds, as providers count, and after the beginning of what it cuts short
    at = max(now.replace(microsecond=0), span.starts_at + dt.timedelta(seconds=1))
    due = offer.amount_minor - changes.off_on_change(held, offer, at) - credit
    until = nth(at, offer.period, 0).ends_at
    return _quoted("upgrade", held, offer, (due, credit), (at, until), anew, span)


def _quoted(
    kind: str,
    held: Any,
    offer: Offer,
    sums: tuple[int, int],
    bounds: tuple[dt.datetime, dt.datetime],
    anew: bool,
    span: Period | None = None,
) -> Quote:
    """``sums`` are (due, credit), ``bounds`` those of what is paid; ``span`` the period it is changed in."""
    extra: tuple[Portion, ...] = ()
    if span is not None:
        anchor = bounds[0] if anew else held.anchor_at
        extra = portions(_given(held, offer, span, bounds[0]), 1, *bounds, anchor)
    return Quote(
        kind=kind,
        due_minor=max(0, sums[0]),
        credit_minor=sums[1],
        currency=held.currency,
        title=offer.plan.name,
        amount_minor=offer.amount_minor,
        period=offer.period,
        at=bounds[0],
        units=tuple((one.unit, one.amount) for one in extra if one.begins == bounds[0]),
        until=bounds[1],
        anew=anew,
    )


def _given(held: Any, offer: Offer, span: Period, now: dt.datetime) -> LineTerms:
    """What the order of an upgrade gives: more for the rest of the period, or a new period less that rest."""
    if offer.period == held.period:
        return _difference(held, offer, span, now)
    new, rest = offer.plan.line(offer.price.id), _rest(decode_line_terms(held.terms), span, now)
    grants = []
    for grant in new.grants:
        if grant.per != "period":
            continue
        less = min(grant.amount, rest.pop(grant.unit, 0))
        if new.units_every is not None:  # the months to come give all of it
            grants.append(msgspec.structs.replace(grant, less=less))
        elif grant.amount > less:
            grants.append(msgspec.structs.replace(grant, amount=grant.amount - less))
    return msgspec.structs.replace(new, grants=tuple(grants))


def _rest(terms: LineTerms, span: Period, now: dt.datetime) -> dict[str, int]:
    """Unit → what the rest of a paid period is worth of the units that it gave, and keeps to its end."""
    rest: dict[str, int] = {}
    for grant in terms.grants:
        if grant.per == "period":
            rest[grant.unit] = rest.get(grant.unit, 0) + prorate(grant.amount, span, now)[1]
    return rest


def _difference(held: Any, offer: Offer, span: Period, now: dt.datetime) -> LineTerms:
    """The new plan's rights, and of its units what the rest of the period is worth beyond the old plan's."""
    new, old = offer.plan.line(offer.price.id), decode_line_terms(held.terms)
    by_month = new.units_every is not None and new.units_every == old.units_every
    have: dict[str, int] = {}
    for grant in old.grants:
        have[grant.unit] = have.get(grant.unit, 0) + _each(old, grant, by_month)
    grants = []
    for grant in new.grants:
        more = max(0, _each(new, grant, by_month) - have.pop(grant.unit, 0))
        if not by_month:  # what comes by the month is cut where it is handed over
            _, more = prorate(more, span, now)
        if more:
            grants.append(GrantTerms(grant.unit, more, grant.priority, None, "period"))
    return msgspec.structs.replace(
        new, grants=tuple(grants), units_every=new.units_every if by_month else None
    )


def _each(terms: LineTerms, grant: GrantTerms, by_month: bool) -> int:
    """What a grant gives in a month, or in a whole period; nothing if it is given once."""
    if grant.per != "period":
        return 0
    if by_month or terms.units_every is None:
        return grant.amount
    return grant.amount * MONTHS[terms.period or "month"] // MONTHS[terms.units_every]


@job("apply_change", purpose="order", attempts=40)
def apply_change(context: Context, order_id: int) -> None:
    """An upgrade was paid: from the next period on its price is asked for. Or the rest of a period was,
    of a plan that rested: it goes on."""
    change_id = sales_queries.change_of(order_id)
    if change_id is None:
        return
    if records.change(change_id).kind == "resume":
        context.step("take up", resuming.take_up, order_id)
        return
    if context.step("apply", _apply, change_id) == "applied":
        context.call("push", push, change_id)


@job("push_change", purpose="order", attempts=40)
def push_change(context: Context, change_id: int) -> None:
    """A downgrade is told to the provider at once and is in force with the next period."""
    context.call("push", push, change_id)


@job("push_price", purpose="order", attempts=40)
def push_price(context: Context, subscription_id: int, turn: int) -> None:
    """Tell the provider what a plan is to cost next, as it is now."""
    plan, charge = sales_queries.get_plan(subscription_id), records.next_charge_of(subscription_id)
    item, rhythm = Item(plan.title, charge.amount_minor), Rhythm(charge.period, charge.at)
    with about_customer(plan.customer_id):
        key = f"{plan.subscription}-{turn}"
        get_provider(plan.provider).change(plan.reference, item, plan.currency, key, charge.off, rhythm)


def push(change_id: int) -> str:
    """Tell the provider what a change that is not withdrawn makes of the price; once, however often."""
    change = records.change(change_id)
    if change.state == "withdrawn":
        return "withdrawn"
    item = Item(change.title, change.amount_minor)
    rhythm = Rhythm(change.period, change.charges_at)
    with about_customer(change.customer_id):
        key = f"plan-{change_id}"
        get_provider(change.provider).change(change.reference, item, change.currency, key, change.off, rhythm)
    return "pushed"


def _apply(change_id: int) -> str:
    """A new rhythm ends the round of units that runs: what was used beyond it is billed now."""
    change = records.change(change_id)
    running = allowances.present(change.subscription_id) if change.anew else None
    if not records.apply_change(change_id, timezone.now()):
        return "held"
    if running is not None:
        mark = running.allowance_id
        enqueue("close_allowance", f"allowance:{mark}:anew", allowance_id=mark)
    return "applied"
