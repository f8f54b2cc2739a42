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
from tollkeeper.core import period as periods
from tollkeeper.core.terms import GrantTerms
from tollkeeper.delivery import services as delivery
from tollkeeper.flows import announcing, relaying
from tollkeeper.kit import mail
from tollkeeper.kit.fields import from_micros, to_micros
from tollkeeper.kit.jobs import Context, enqueue, job
from tollkeeper.sales import queries as sales
from tollkeeper.sales import services as sales_services
from tollkeeper.sales.queries import LineView
from tollkeeper.usage import queries as usage_queries
from tollkeeper.usage import services as usage

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
    if line.terms.provisioner == HOME:
        new_key = context.step("provide", _provide, delivery_id, line)
        context.step("grant", _grant, line, begins)
    else:  # units are counted where the key is; our ledger holds none of them
        new_key = relaying.provide(context, delivery_id, line.terms, line.quantity)
    context.step("finish", _finish, delivery_id, line, new_key)


def _begin(line: LineView) -> int:
    return to_micros(line.starts_at or timezone.now())


def _reserve(line: LineView, begins: dt.datetime) -> int:
    ends = [_grant_end(line, grant, begins) for grant in line.terms.grants]
    last = max((end for end in ends if end is not None), default=None)
    forever = not ends or None in ends
    return delivery.open_delivery(
        line.line_id,
        customer_id=line.customer_id,
        provisioner=line.terms.provisioner,
        terms=line.terms.key,
        ends_at=None if forever or last is None else last + GRACE,
    )


def _provide(delivery_id: int, line: LineView) -> bool:
    return delivery.provide_key(delivery_id, title=line.title)


def _grant(line: LineView, begins: dt.datetime) -> list[int]:
    """Issue the line's units; a grant that is over before it can be delivered is not made."""
    issued = []
    for position, grant in enumerate(line.terms.grants):
        ends = _grant_end(line, grant, begins)
        if ends is not None and ends <= timezone.now():
            continue
        issued.append(
            usage.issue_grant(
                key=f"line:{line.line_id}:{position}",
                customer_id=line.customer_id,
                unit=grant.unit,
                amount=grant.amount * line.quantity,
                priority=grant.priority,
                effective_at=begins,
                expires_at=ends,
                source=f"line:{line.line_id}",
                renews=grant.per == "period",
            )
        )
    return issued


def _grant_end(line: LineView, grant: GrantTerms, begins: dt.datetime) -> dt.datetime | None:
    """When a grant runs out: after its days, with the paid period, or never."""
    if grant.lasts_days is not None:
        return begins + dt.timedelta(days=grant.lasts_days)
    if grant.per != "period":
        return None
    if line.ends_at is not None:
        return line.ends_at
    return periods.nth(begins, line.terms.period, 0).ends_at if line.terms.period else None


def _finish(delivery_id: int, line: LineView, new_key: bool) -> None:
    if delivery.finish_delivery(delivery_id):
        sales_services.line_delivered(line.line_id, timezone.now())
        announcing.order(line.order_id)
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
    clawed = 0
    line = sales.get_line(line_id)
    if line.terms.provisioner != HOME and amount_share is not None:
        part, whole = amount_share
        units = sum(grant.amount for grant in line.terms.grants) * line.quantity * part // whole
        return delivery.cut_cap(line_id, claim=f"{claim}:{line_id}", units=units)
    for position, grant in enumerate(line.terms.grants):
        row = usage_queries.find_grant(f"line:{line_id}:{position}")
        if row is None:
            continue
        share = None
        if amount_share is not None:
            part, whole = amount_share
            share = grant.amount * line.quantity * part // whole
        clawed += usage.claw_back(key=f"{claim}:{row.id}", grant_id=row.id, amount=share)
    if amount_share is None:
        delivery.revoke_delivery(line_id)
    return clawed
