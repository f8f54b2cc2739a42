"""Paid and not handed over within the plan's time: the money goes back without being asked for.

First the hand-over is stopped for good, then the refund is requested, so that nobody has both.
A hand-over that nobody was there to try goes before that: after an outage that outlasted the
plan's time, what can be delivered now is delivered, and the money stays.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.delivery import queries as delivery_queries
from tollkeeper.delivery import services as delivery
from tollkeeper.flows.refund import CannotRefund, request_refund
from tollkeeper.kit import queries as jobs
from tollkeeper.kit import services as job_verbs
from tollkeeper.kit.fields import from_micros, to_micros
from tollkeeper.kit.jobs import Context, Retry, enqueue, job
from tollkeeper.sales import queries as sales
from tollkeeper.sales.queries import LineView

LOOK_AGAIN_S = 30.0
TRIES = 3
"""A hand-over tried so often was given its chance."""
LAST_CHANCE = dt.timedelta(minutes=10)
"""How long one that was not is waited for, from the first look on."""


@job("check_delivery", purpose="order", attempts=40)
def check_delivery(context: Context, line_id: int) -> None:
    """The time in which a line was to be handed over is up."""
    line = sales.get_line(line_id)
    order = sales.order_by_id(line.order_id)
    if line.delivered_at is not None or order.money not in ("paid", "overpaid"):
        return
    if order.review:  # a person is looking already
        raise Retry(600)
    since = from_micros(context.step("look", lambda: to_micros(timezone.now())))
    if _untried(line_id) and timezone.now() - since < LAST_CHANCE:
        raise Retry(LOOK_AGAIN_S)
    if not context.step("stop", _stop, line):
        return
    context.step("refund", _refund, order.number)


def _untried(line_id: int) -> bool:
    """True while the hand-over waits for a worker and was hardly tried: nobody was there."""
    work = jobs.find_job(f"fulfil:{line_id}")
    return work is not None and work.state == "ready" and work.attempts < TRIES


def _stop(line: LineView) -> bool:
    """End the hand-over for good; False if it was done meanwhile. Raises ``Retry`` while it is tried."""
    found = delivery_queries.find_delivery(line.line_id)
    if found is not None and found.state in ("delivered", "suspended", "revoked"):
        return False
    work = jobs.find_job(f"fulfil:{line.line_id}")
    if work is not None and work.state != "cancelled" and not job_verbs.cancel_job(work.id):
        raise Retry(LOOK_AGAIN_S)
    delivery.fail_delivery(line.line_id, "too_late")
    return True


def _refund(number: str) -> str:
    with transaction.atomic():
        try:
            request_refund(number, reason="undelivered", origin="system")
        except CannotRefund as no:
            return no.code
        enqueue("mail_undelivered", f"mail:undelivered:{number}", number=number)
    return "requested"


@job("mail_undelivered", purpose="order")
def mail_undelivered(context: Context, number: str) -> None:
    """Say that it did not work, and that nothing is owed."""
    context.call("send", _mail, number)


def _mail(number: str) -> str:
    order = sales.find_order(number)
    if order is None:
        return "nothing"
    values = {
        "title": order.title,
        "number": number,
        "link": f"{settings.PUBLIC_URL}/console/orders/{number}/",
    }
    return "sent" if accounts.write_to(order.customer_id, "undelivered", values) else "nobody"
