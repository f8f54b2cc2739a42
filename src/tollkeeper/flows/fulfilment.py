"""From a paid order line to a key that works: the journey of a delivery.

Reserve, provide, grant, finish, tell. Every step is journaled; a line is delivered
once however often it is asked for, because the delivery and each grant carry the
line's id as their key.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.delivery import services as delivery
from tollkeeper.flows import announcing, relaying, units
from tollkeeper.kit import mail
from tollkeeper.kit.fields import from_micros, to_micros
from tollkeeper.kit.jobs import Context, enqueue, job
from tollkeeper.sales import queries as sales
from tollkeeper.sales import services as sales_services
from tollkeeper.sales.queries import LineView

HOME = "gate_key"
"""The provisioner of keys on our own gate."""
GRACE = dt.timedelta(days=3)
"""How long keys go on after the last paid period: renewals take their time, units do not last longer."""


def _failed(line_id: int) -> None:
    delivery.fail_delivery(line_id, "gave_up")


@job("fulfil_line", purpose="delivery", on_dead=_failed)
def fulfil_line(context: Context, line_id: int) -> None:
    """Hand over what one paid order line bought."""
    line = sales.get_line(line_id)
    begins = from_micros(context.step("begin", _begin, line))
    delivery_id = context.step("reserve", _reserve, line, begins)
    delivery.take_up(delivery_id)  # no step: an operator may put a dead job back more than once
    if line.terms.provisioner == HOME:
        new_key = context.step("provide", _provide, delivery_id, line)
        context.step("grant", _grant, line, begins)
    else:  # units are counted where the key is; our ledger holds none of them
        new_key = relaying.provide(context, delivery_id, line.terms, line.quantity)
    context.step("finish", _finish, delivery_id, line, new_key)


def _begin(line: LineView) -> int:
    return to_micros(line.starts_at or timezone.now())


def _reserve(line: LineView, begins: dt.datetime) -> int:
    last = units.last_end(line, begins)
    return delivery.open_delivery(
        line.line_id,
        customer_id=line.customer_id,
        provisioner=line.terms.provisioner,
        terms=line.terms.key,
        ends_at=None if last is None else last + GRACE,
    )


def _provide(delivery_id: int, line: LineView) -> bool:
    return delivery.provide_key(delivery_id, title=line.title)


def _grant(line: LineView, begins: dt.datetime) -> list[int]:
    return units.give(line, begins)


def _finish(delivery_id: int, line: LineView, new_key: bool) -> None:
    if delivery.finish_delivery(delivery_id):
        sales_services.line_delivered(line.line_id, timezone.now())
        announcing.order(sales.order_by_id(line.order_id))
        name = "key_ready" if new_key else "units_added"
        enqueue("mail_delivery", f"mail:{name}:{line.line_id}", line_id=line.line_id, template=name)


@job("mail_delivery", purpose="notice")
def mail_delivery(context: Context, line_id: int, template: str) -> None:
    """Tell the customer; the mail holds a link, never the key."""
    line = sales.get_line(line_id)
    context.call("send", _mail, line, template)


def _mail(line: LineView, template: str) -> str:
    address = accounts.email_for(line.customer_id)
    if address is None:
        return "nobody"
    owner = accounts.get_customer(line.customer_id).owner
    language = owner.language if owner else "en"
    values = {
        "title": line.title,
        "order": line.order_number,
        "link": f"{settings.PUBLIC_URL}/console/keys/",
        "docs": f"{settings.PUBLIC_URL}/docs/",
    }
    mail.send(template, address, values, language=language)
    return "sent"


def withdraw_line(line_id: int, *, claim: str, amount_share: tuple[int, int] | None = None) -> int:
    """Take back what a line gave: its units, and its rights if all of it is refunded.

    ``claim`` is unique for the refund or dispute. ``amount_share`` (refunded, total)
    takes that share of the units and leaves the rights; None takes everything.
    Answers the micro-units that were clawed. Call it in the transaction that books
    the refund.
    """
    line = sales.get_line(line_id)
    if line.terms.provisioner != HOME and amount_share is not None:
        part, whole = amount_share
        cut = sum(grant.amount for grant in line.terms.grants) * line.quantity * part // whole
        return delivery.cut_cap(line_id, claim=f"{claim}:{line_id}", units=cut)
    clawed = units.take(line, claim=claim, share=amount_share)
    if amount_share is None:
        delivery.revoke_delivery(line_id)
    return clawed
