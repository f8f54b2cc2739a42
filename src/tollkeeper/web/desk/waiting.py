"""What waits for an operator, of every kind, in the order of its clocks: for the first page of the desk."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from tollkeeper.accounts import queries as accounts
from tollkeeper.flows import bank, fraud
from tollkeeper.payments import comparing
from tollkeeper.payments import queries as payments
from tollkeeper.privacy import authorities, breaches, forgetting, holds, minors, requests
from tollkeeper.sales import queries as sales
from tollkeeper.support import queries as tickets
from tollkeeper.web.access import ROLE

MOST = 15


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing: its kind and number, where it is, its last day, and the one thing to do."""

    kind: str
    number: str
    url: str
    due_on: dt.date
    action: str

    def late(self, today: dt.date) -> bool:
        """Whether its last day is over."""
        return self.due_on < today


def waiting_for(person: Any, today: dt.date, limit: int = MOST) -> list[tuple[Waiting, bool]]:
    """What waits for this operator, the most urgent first, with True for what is late.

    What is about people's rights is for the role that looks after them.
    """
    found = [*_letters(), *_money(today)]
    if accounts.has_role(person.pk, ROLE):
        found += [*_breaches(), *_requests(), *_cases(), *_orders(today)]
    found.sort(key=lambda one: (one.due_on, one.number))
    return [(one, one.late(today)) for one in found[:limit]]


def _letters() -> Iterator[Waiting]:
    for row in tickets.desk_tickets("waiting", MOST):
        kind = _("Complaint") if row.complaint else _("Letter")
        url = reverse("desk_ticket", args=[row.number])
        yield Waiting(kind, row.number, url, row.due_at.date(), _("Answer"))


def _money(today: dt.date) -> Iterator[Waiting]:
    """What banks and payers wait for. What has no clock of its own is due today."""
    for dispute in payments.open_disputes():
        order = sales.order_by_id(dispute.order_id)
        if dispute.state == "needs_response":
            due = dispute.respond_by.date() if dispute.respond_by else today
            yield Waiting(_("Dispute"), order.number, reverse("desk_money"), due, _("Hand in the evidence"))
    for number in fraud.waiting(MOST):
        url = reverse("desk_order", args=[number])
        yield Waiting(_("Warning of fraud"), number, url, today, _("Refund it, or keep it"))
    for refund in payments.refunds_by_hand():
        order = sales.order_by_id(refund.order_id)
        yield Waiting(_("Refund"), order.number, reverse("desk_money"), today, _("Send it by transfer"))
    for refund in payments.failed_refunds(MOST):
        order = sales.order_by_id(refund.order_id)
        url = reverse("desk_order", args=[order.number])
        yield Waiting(_("Refund that failed"), order.number, url, today, _("Try another way"))
    for finding in comparing.open_findings(MOST):
        due, number = finding.found_at.date() + dt.timedelta(days=3), finding.reference or finding.provider
        yield Waiting(_("Books that differ"), number[:30], reverse("desk_money"), due, _("Look into it"))
    for row, known, _why in bank.open_transfers()[:MOST]:
        number = known.number if known else f"#{row.transfer_id}"
        due = row.booked_on + dt.timedelta(days=7)
        yield Waiting(_("Transfer"), number, reverse("desk_money"), due, _("Find its order"))


def _breaches() -> Iterator[Waiting]:
    for row in breaches.unfinished():
        url = reverse("desk_privacy_breach", args=[row.number])
        action = _("Tell the authority") if row.risk else _("Judge")
        if not row.authority_waits:
            action = _("Close it") if row.risk != "high" or row.people_told_at else _("Tell people")
        yield Waiting(_("Breach"), row.number, url, row.authority_due_at.date(), action)


def _requests() -> Iterator[Waiting]:
    for row in requests.open_requests(MOST):
        if row.due_on is None or row.kind == "minor" or (row.kind == "erase" and row.channel == "console"):
            continue  # what people closed by themselves runs by itself
        url = reverse("desk_privacy_case", args=[row.number])
        action = _("Confirm receipt") if row.state == "received" else _("Answer")
        yield Waiting(_("Request"), row.number, url, row.due_on, action)
    for report in minors.waiting():
        if report.decide_by is not None:
            url = reverse("desk_privacy")
            yield Waiting(_("Child's account"), report.number, url, report.decide_by.date(), _("Decide"))


def _cases() -> Iterator[Waiting]:
    for case in authorities.waiting():
        if case.due_on is not None:
            url = reverse("desk_privacy_authority", args=[case.number])
            action = _("Check") if case.state == "open" else _("Give out")
            yield Waiting(_("Authority"), case.number, url, case.due_on, action)


def _orders(today: dt.date) -> Iterator[Waiting]:
    url = reverse("desk_privacy")
    for order in holds.list_holds():
        if order.review_on <= today + dt.timedelta(days=14):
            yield Waiting(_("Hold order"), order.number, url, order.review_on, _("Look again"))
    for duty in forgetting.waiting():
        yield Waiting(_("Erasure"), duty.receipt, url, duty.due_on, _("Tell a processor"))
