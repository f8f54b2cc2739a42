"""From a chosen plan to a paid order.

The intent is committed before the provider is asked, under a key made of the attempt, so that
a crash or a second click never makes a second session. Whatever happens afterwards (the payer
comes back, an event arrives, the sweeper looks, an operator presses a button) ends in the one
function :func:`reconcile`: ask the provider for its present truth, derive, act once.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tollkeeper.catalog import queries as catalog
from tollkeeper.core.settlement import Collected, RenewalFact, derive
from tollkeeper.flows import receipts
from tollkeeper.kit.jobs import Context, Retry, enqueue, job, schedule
from tollkeeper.payments import queries as payment_queries
from tollkeeper.payments import services as payments
from tollkeeper.payments.providers import Intent, Item, Missing, ProviderError, Refused, Started, Unsure
from tollkeeper.payments.registry import get_provider
from tollkeeper.sales import queries as sales_queries
from tollkeeper.sales import services as sales
from tollkeeper.sales.queries import OrderView

KEY_LIVES = dt.timedelta(hours=20)
"""Idempotency keys may be pruned after 24 hours: an older attempt is looked up before it is asked again."""

LOOK_AGAIN = dt.timedelta(minutes=10)
ABANDONED = dt.timedelta(minutes=15)
UNKNOWN_FOR = dt.timedelta(minutes=10)
"""How long an event about nothing of ours is tried again: it may have overtaken our own commit."""


class CannotPay(Exception):
    """The order cannot be paid now. ``code``: ``closed``, ``expired``, ``no_answer`` or ``refused``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Restless(ProviderError):
    """The order changed under every look: try again later."""


def start_order(customer_id: int, plan: str, price: str, *, language: str = "en") -> str:
    """Order ``plan`` at ``price``; answers the order's public number.

    A second call while the first order is unpaid answers the same number. Raises
    ``catalog.queries.NotOffered`` and ``sales.services.CannotOrder``.
    """
    shop = catalog.current_shop()
    if shop.suspended:
        raise sales.CannotOrder("not_sold")
    terms = catalog.get_plan(plan, language)
    offered = catalog.get_price(plan, price)
    tax = sales.Tax(shop.tax.mode, shop.tax.rates.get(shop.seller.country, 0))
    with transaction.atomic():
        order = sales.open_order(
            customer_id,
            terms,
            offered,
            now=timezone.now(),
            language=language,
            live=settings.ENV.live,
            tax=tax,
        )
    return order.number


def return_url(number: str) -> str:
    """Where the payer comes back to."""
    return f"{settings.PUBLIC_URL}/checkout/{number}/return"


def begin_payment(number: str, provider: str = "") -> str:
    """Answer the address where the order is paid (again the same one, if it is open already).

    Raises ``sales.services.NoSuchOrder`` and :class:`CannotPay`; after ``no_answer`` it is safe to
    call it again.
    """
    order = sales_queries.find_order(number)
    if order is None:
        raise sales.NoSuchOrder(number)
    now = timezone.now()
    _check_payable(order, now)
    attempt = _open_attempt(order, provider or _provider_for(order), now)
    if attempt.state == "processing":
        return return_url(number)
    if attempt.url:
        return str(attempt.url)
    try:
        started = _ask_to_start(_intent(order, attempt), attempt)
    except Unsure as error:
        with transaction.atomic():
            payments.note_no_answer(attempt.pk, str(error))
        raise CannotPay("no_answer") from error
    except Refused as error:
        with transaction.atomic():
            payments.note_refused(attempt.pk, error.code)
        raise CannotPay("refused") from error
    with transaction.atomic():
        payments.note_started(attempt.pk, started)
    if not get_provider(attempt.provider).remote:
        reconcile(order.order_id)
    return started.url


def _check_payable(order: OrderView, now: dt.datetime) -> None:
    if order.lifecycle in ("expired", "cancelled"):
        raise CannotPay("expired")
    if order.lifecycle != "open" or order.money not in ("unpaid", "processing"):
        raise CannotPay("closed")
    if order.expires_at is not None and order.expires_at <= now:
        raise CannotPay("expired")


def _provider_for(order: OrderView) -> str:
    if order.total_minor == 0:
        return "free"
    return next(name for name in catalog.current_shop().providers if name != "free")


def _open_attempt(order: OrderView, provider: str, now: dt.datetime):  # type: ignore[no-untyped-def]
    with transaction.atomic():
        row = sales.lock_order(order.order_id)
        attempt = payments.open_attempt(
            row.pk,
            provider,
            asked_minor=row.total_minor,
            currency=row.currency,
            live=row.live,
            expires_at=now + sales.OPEN_FOR,
            now=now,
        )
        if attempt.expires_at is not None:
            sales.keep_open(row, attempt.expires_at)
    return attempt


def _intent(order: OrderView, attempt) -> Intent:  # type: ignore[no-untyped-def]
    """What the provider is told: made of committed rows only, so that asking again asks the same."""
    remote = get_provider(attempt.provider).remote
    back = return_url(order.number)
    renews = order.lines[0].terms.kind == "subscription" and order.total_minor > 0
    return Intent(
        attempt=str(attempt.pk),
        generation=attempt.generation,
        order=order.number,
        customer=order.customer,
        payer=payment_queries.payer_reference(
            order.customer_id, attempt.provider, order.live, attempt.created_at
        ),
        items=tuple(
            Item(line.title, line.amount_minor // line.quantity, line.quantity) for line in order.lines
        ),
        currency=order.currency,
        period=order.lines[0].terms.period if renews else None,
        success_url=f"{back}?session_id={{CHECKOUT_SESSION_ID}}" if remote else back,
        cancel_url=f"{settings.PUBLIC_URL}/checkout/{order.number}/cancelled",
        created_at=attempt.created_at,
        expires_at=attempt.expires_at,
        language=order.language,
    )


def _ask_to_start(intent: Intent, attempt) -> Started:  # type: ignore[no-untyped-def]
    provider = get_provider(attempt.provider)
    if timezone.now() - attempt.created_at > KEY_LIVES and (found := provider.find(intent)):
        return found
    try:
        return provider.start(intent)
    except Refused as error:
        if error.code != "idempotency":
            raise
    # the key was used for something slightly else (our own address changed): look, then take a new key
    if found := provider.find(intent):
        return found
    with transaction.atomic():
        payments.note_no_answer(attempt.pk, "new_key", next_key=True)
    attempt.refresh_from_db()
    order = sales_queries.order_by_id(attempt.order_id)
    return provider.start(_intent(order, attempt))


# ---- the one path


def reconcile(order_id: int) -> OrderView:
    """Bring an order up to what its providers say now, and act on it once. Safe at any time.

    Raises :class:`ProviderError` if a provider does not answer, and leaves everything as it was.
    """
    for _ in range(8):
        order = sales_queries.order_by_id(order_id)
        _adopt_lost(order)
        truths = [
            (attempt, provider, _truth(provider, ask))
            for attempt, provider, ask in payments.asked(order_id, order.number)
        ]
        with transaction.atomic():
            # what was fetched is at least as new as what was written since: else look again
            row = sales.lock_order(order_id)
            if row.version == order.version:
                _settle(row, truths, timezone.now())
                break
    else:
        raise Restless("restless")
    return sales_queries.order_by_id(order_id)


def _truth(provider: str, ask):  # type: ignore[no-untyped-def]
    try:
        return get_provider(provider).fetch(ask)
    except Missing:
        return Collected(ask.reference, "failed", 0, ask.currency, ask.live, ask.order, decline="missing")


def _adopt_lost(order: OrderView) -> None:
    """Attempts whose answer never came: find the session at the provider, or give the attempt up."""
    for attempt in payments.unanswered(order.order_id, timezone.now() - ABANDONED):
        found = get_provider(attempt.provider).find(_intent(order, attempt))
        with transaction.atomic():
            if found:
                payments.note_started(attempt.pk, found)
            else:
                payments.give_up(attempt.pk)


def _settle(row, truths, now: dt.datetime) -> None:  # type: ignore[no-untyped-def]
    for attempt, _, facts in truths:
        payments.record(attempt, facts, order=row.number, now=now)
    facts = payments.facts_of(row.pk)
    settlement = derive(sales.due(row), facts.charges, facts.refunds, facts.disputes)
    settled = sales.settle(row, settlement, now=now)
    if not settled.fulfil:
        return
    if row.kind == "purchase" and not _subscribed(row, truths, now):
        return
    for line_id in settled.line_ids:
        enqueue("fulfil_line", f"fulfil:{line_id}", line_id=line_id)
    receipts.issue_for(row.pk, now)


def _subscribed(row, truths, now: dt.datetime) -> bool:  # type: ignore[no-untyped-def]
    """Begin the subscription that the order bought, if it is one; False if it may not begin."""
    if not sales.renews(row):
        return True
    paid = next(((p, f) for _, p, f in truths if f.state == "succeeded"), None)
    if paid is None:
        return row.subscription_id is not None
    provider, facts = paid
    renewal = facts.renewal or RenewalFact(facts.reference, facts.reference, now)
    made = sales.subscribe(
        row,
        provider=provider,
        reference=renewal.reference,
        source=renewal.invoice,
        anchor_at=renewal.anchor_at,
    )
    if made is None:
        sales.hold_for_review(row, "second_subscription")
    return made is not None


# ---- jobs


@job("take_event", purpose="order", attempts=20)
def take_event(context: Context, inbox_id: int) -> None:
    """An event is a hint: find out what it is about and look at that."""
    event = payment_queries.get_event(inbox_id)
    if event.state == "done":
        return
    located = get_provider(event.account).locate(event.type, event.object_id)
    order_id = payment_queries.order_of(
        event.account, number=located.order, reference=located.reference, payment=located.payment
    )
    if order_id is not None:
        reconcile(order_id)
    elif located != type(located)() and timezone.now() - event.received_at < UNKNOWN_FOR:
        raise Retry(20)
    with transaction.atomic():
        payments.finish_event(inbox_id)


@job("reconcile_order", purpose="order")
def reconcile_order(context: Context, order_id: int) -> None:
    """Look at an order because somebody or something asked for it."""
    reconcile(order_id)


@schedule("sweep_payments", every_s=60, purpose="order")
def sweep_payments(context: Context) -> None:
    """Look at attempts that are open for long: the event may be lost."""
    now = timezone.now()
    slot = int(now.timestamp()) // int(LOOK_AGAIN.total_seconds())
    with transaction.atomic():
        for order_id in payment_queries.stale_orders(now - LOOK_AGAIN):
            enqueue("reconcile_order", f"sweep:{order_id}:{slot}", order_id=order_id)


@schedule("expire_orders", every_s=60, purpose="order")
def expire_orders(context: Context) -> None:
    """End orders whose time is up."""
    with transaction.atomic():
        for order_id in sales_queries.expiring_orders(timezone.now()):
            enqueue("expire_order", f"expire:{order_id}", order_id=order_id)


@job("expire_order", purpose="order", attempts=40)
def expire_order(context: Context, order_id: int) -> None:
    """Close the page at the provider first; if the money came meanwhile, it wins."""
    end_unpaid(order_id, "expire")


def cancel_order(customer_id: int, number: str) -> bool:
    """The customer does not want an unpaid order any more; False if money came first."""
    order = sales_queries.get_order(customer_id, number)
    return end_unpaid(order.order_id, "cancel")


def end_unpaid(order_id: int, event: str) -> bool:
    """``expire`` or ``cancel`` an order after closing every page on which it could be paid."""
    order = sales_queries.order_by_id(order_id)
    for _, provider, ask in payments.asked(order_id, order.number):
        if ask.state in payments.OPEN:
            get_provider(provider).expire(ask.reference)
    reconcile(order_id)
    with transaction.atomic():
        return sales.end_unpaid(sales.lock_order(order_id), event, now=timezone.now())


def clear_review(order_id: int) -> OrderView:
    """An operator lets an order go on although something did not match."""
    with transaction.atomic():
        sales.clear_review(order_id)
    return reconcile(order_id)


@schedule("purge_inbox", every_s=6 * 3600, purpose="order")
def purge_inbox(context: Context) -> None:
    """Forget events after 40 days: providers list theirs for 30."""
    with transaction.atomic():
        payments.purge_inbox(timezone.now() - dt.timedelta(days=40))
