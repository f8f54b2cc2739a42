"""Telling customers' programs what happened: Standard Webhooks, in order, until they arrive.

What is told is noted in the transaction in which it happened; changes of keys are read from the
gates' feed, whose numbers follow the commits. Each event carries the whole state of its object
and when that was so, so that one that comes twice or late does no harm.
"""

from __future__ import annotations

import threading

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as accounts_verbs
from tollkeeper.core.terms import MICRO
from tollkeeper.core.webhooks import BadAddress, sign
from tollkeeper.delivery import changes
from tollkeeper.delivery import queries as delivery
from tollkeeper.kit import egress, egress_pinned
from tollkeeper.kit.jobs import Context, enqueue, job, loop, schedule
from tollkeeper.kit.purposes import serving
from tollkeeper.outbox import queries as outbox_queries
from tollkeeper.outbox import services as outbox
from tollkeeper.outbox.services import Parcel
from tollkeeper.payments import queries as payment_queries
from tollkeeper.privacy import restrictions
from tollkeeper.sales.queries import OrderView
from tollkeeper.usage import queries as usage

FEED = "keys"
IN_A_ROW = 20
"""Posts to one endpoint before the others get their turn."""


def local_allowed() -> bool:
    """Whether endpoints on this machine may be told: never where money is real."""
    return not settings.ENV.live


def listening(customer_id: int, family: str) -> bool:
    """Whether somebody wants to hear of such a thing, and the customer's data may be used for it."""
    if not outbox.listening(customer_id, family):
        return False
    return not restrictions.limited(accounts.get_customer(customer_id).owner_id)


def order(row: OrderView) -> None:
    """Note what an order is now, once per state; in the caller's transaction."""
    if row.status == "awaiting_payment" or not listening(row.customer_id, "order"):
        return
    kind = f"order.{ {'preparing': 'paid', 'in_review': 'held'}.get(row.status, row.status) }"
    data = {
        "order": row.number,
        "customer": row.customer,
        "version": row.version,
        "kind": row.kind,
        "status": row.status,
        "money": row.money,
        "currency": row.currency,
        "total_minor": row.total_minor,
        "captured_minor": row.captured_minor,
        "refunded_minor": row.refunded_minor,
        "subscription": row.subscription,
        "lines": [{"plan": line.plan, "quantity": line.quantity} for line in row.lines],
    }
    key = f"{kind}:{row.order_id}:{row.captured_minor}:{row.refunded_minor}"
    outbox.announce(row.customer_id, kind, key, data, timezone.now())


def payments(row: OrderView) -> None:
    """Note what became of the money of an order: tries, refunds, disputes; in the caller's transaction."""
    order_id = row.order_id
    if not listening(row.customer_id, "payment"):
        return
    now = timezone.now()
    common = {"order": row.number, "customer": row.customer, "currency": row.currency}
    for number, attempt in enumerate(payment_queries.list_attempts(order_id)):
        if attempt.state in ("succeeded", "failed"):
            kind = f"payment.{attempt.state}"
            data = {**common, "amount_minor": attempt.amount_minor, "provider": attempt.provider}
            outbox.announce(row.customer_id, kind, f"{kind}:{order_id}:{number}", data, now)
    for refund in payment_queries.list_refunds(order_id):
        if refund.phase in ("done", "undone"):
            kind = "payment.refunded" if refund.phase == "done" else "payment.refund_failed"
            data = {**common, "amount_minor": refund.amount_minor, "refund": str(refund.refund_id)}
            outbox.announce(row.customer_id, kind, f"{kind}:{refund.refund_id}", data, now)
    for dispute in payment_queries.list_disputes(order_id):
        kind = f"payment.dispute_{dispute.phase}"
        data = {**common, "amount_minor": dispute.amount_minor, "state": dispute.state}
        outbox.announce(row.customer_id, kind, f"{kind}:{dispute.dispute_id}:{dispute.state}", data, now)


def alert(alert_id: int) -> None:
    """Note that units run low or end soon; in the caller's transaction."""
    row = usage.get_alert(alert_id)
    if not listening(row.customer_id, "quota"):
        return
    left = next((b for b in usage.balances(row.customer_id) if b.unit == row.unit), None)
    data = {
        "customer": accounts.get_customer(row.customer_id).public_id,
        "unit": row.unit,
        "left": left.left / MICRO if left else 0,
        "granted": left.granted / MICRO if left else 0,
        "ends_at": row.ends_at.isoformat() if row.ends_at else None,
    }
    outbox.announce(row.customer_id, f"quota.{row.kind}", f"quota:{alert_id}", data, timezone.now())


def read_feed() -> bool:
    """Note the keys that changed since the last look; True if there may be more."""
    seen = outbox.cursor(FEED)
    if seen is None:  # from now on, not from the beginning of time
        with transaction.atomic():
            outbox.move_cursor(FEED, delivery.feed_version(), None)
        return False
    found = changes.since(seen)
    if not found:
        return False
    with transaction.atomic():
        if not outbox.move_cursor(FEED, found[-1].version, seen):
            return True
        for row in found:
            if listening(row.customer_id, "key"):
                kind = f"key.{row.state}"
                data = {
                    "key_id": row.key_id,
                    "customer": accounts.get_customer(row.customer_id).public_id,
                    "prefix": row.prefix,
                    "state": row.state,
                    "reason": row.reason,
                    "version": row.version,
                }
                outbox.announce(
                    row.customer_id, kind, f"key:{row.key_id}:{row.version}", data, timezone.now()
                )
    return True


@loop("tell_programs", every_s=1.0)
def tell_programs(stop: threading.Event) -> bool:
    """Post what is due; True if there is more."""
    with serving("notice"):  # a loop is no job, so nobody said it before
        return _tell(stop)


def _tell(stop: threading.Event) -> bool:
    more = read_feed()
    stored = [accounts.customer_of(person) for person in restrictions.limited_people()]
    for endpoint_id in outbox.claim(timezone.now(), leave_out=[one for one in stored if one is not None]):
        try:
            for _ in range(IN_A_ROW):
                parcel = outbox.next_parcel(endpoint_id, timezone.now())
                if parcel is None or stop.is_set() or not _post(parcel):
                    break
            else:
                more = True
        finally:
            outbox.release(endpoint_id)
    return more


def _post(parcel: Parcel) -> bool:
    """Send one post and note what became of it; True if it arrived."""
    now = timezone.now()
    stamp = int(now.timestamp())
    headers = {
        "webhook-id": parcel.message_id,
        "webhook-timestamp": str(stamp),
        "webhook-signature": " ".join(
            sign(secret, parcel.message_id, stamp, parcel.body) for secret in parcel.secrets
        ),
        "User-Agent": "Tollkeeper-Webhooks/1",
    }
    owner = accounts.get_customer(parcel.customer_id).owner_id if parcel.customer_id else None
    answer, error = 0, ""
    try:
        with egress.about(subject=owner, purpose="order"):
            answer = egress_pinned.post(
                parcel.url,
                parcel.body,
                headers,
                purpose="order",
                categories=("order", "usage.quota", "key"),
                local=local_allowed(),
            )
    except (BadAddress, egress_pinned.NoAnswer) as no:
        error = no.code
    except egress.Refused as no:
        error = no.reason
    with transaction.atomic():
        became = outbox.note_answer(parcel, answer, error, now)
        if became in ("struggling", "failing"):
            key = f"mail:endpoint:{parcel.endpoint_id}:{parcel.message_id}:{became}"
            enqueue(
                "mail_endpoint", key, endpoint_id=parcel.endpoint_id, answer=answer, off=became == "failing"
            )
    return became == "sent"


@job("mail_endpoint", purpose="notice")
def mail_endpoint(context: Context, endpoint_id: int, answer: int, off: bool) -> None:
    """Tell an endpoint's owner that nothing arrives there, or that we have stopped trying."""
    context.call("send", _mail, endpoint_id, answer, off)


def _mail(endpoint_id: int, answer: int, off: bool) -> str:
    found = outbox_queries.owner_of(endpoint_id)
    customer_id, number, state = found or (None, "", "")
    if customer_id is None:
        return "nobody"  # it is gone, or the operator's own, which stand at the desk
    if off != (state == "failing"):
        return "over"
    values = {"off": off, "answer": answer, "link": f"{settings.PUBLIC_URL}/console/webhooks/{number}/"}
    return "sent" if accounts_verbs.write_to(customer_id, "endpoint_failing", values) else "nobody"


@schedule("forget_events", every_s=6 * 3600, purpose="order")
def forget_events(context: Context) -> None:
    """Forget events that nobody replays any more."""
    with transaction.atomic():
        outbox.forget_events(timezone.now())
