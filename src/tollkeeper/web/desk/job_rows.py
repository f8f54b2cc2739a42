"""Jobs as tasks: what each is about, with a way there, and the one thing that is right to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from tollkeeper.kit.queries import JobRow
from tollkeeper.payments import queries as payments
from tollkeeper.sales import queries as sales
from tollkeeper.sales.services import NoSuchOrder

_ADVICE = {
    "fulfil_line": _(
        "Mend what hands it over (a relay, its credential), then try again; or refund the order."
    ),
    "return_unspent": _(
        "What was used cannot be counted: look at the relay, then try again, or refund by hand."
    ),
    "submit_refund": _("Try again: it is looked up before it is asked for, so that it never goes twice."),
    "reconcile_order": _("Try again when the provider answers; the order stays as it is until then."),
    "take_event": _("Try again: the object is asked for anew. If the provider has lost it, give up."),
    "compare_with": _("Check the provider's key and address, then try again."),
    "check_money": _(
        "Run `tollkeeper book check`: it names every fault. Do not give up before it is understood."
    ),
    "check_book": _(
        "Run `tollkeeper book check`: it names every fault. Do not give up before it is understood."
    ),
    "check_audit_trail": _(
        "The trail was altered, or a backup is older than it: find out before anything else."
    ),
    "check_vat": _("The register does not answer: try again. Until then tax is charged."),
    "send_evidence": _("Try again before the bank's day is over, or answer on the provider's own page."),
    "push_pause": _("Try again, or set it on the provider's own page, so that nobody is charged wrongly."),
    "push_wish": _("Try again, or set it on the provider's own page, so that nobody is charged wrongly."),
    "push_price": _("Try again, or set it on the provider's own page, so that nobody is charged wrongly."),
    "push_change": _("Try again, or set it on the provider's own page, so that nobody is charged wrongly."),
    "apply_change": _("Try again: it is paid. Or refund its order."),
}
_MAIL = _("Check the way mail is sent, then try again; give up if it is too late to be of use.")
_ANY = _("Mend what it names, then try again.")


@dataclass(frozen=True, slots=True)
class DeskJob:
    """A job with the number of the order that it is about (or nothing), and what to do."""

    row: JobRow
    about: str = ""
    url: str = ""
    advice: Any = ""


def of(rows: Iterable[JobRow]) -> list[DeskJob]:
    """The same jobs as tasks."""
    made = []
    for row in rows:
        number = _order_of(row.payload)
        url = reverse("desk_order", args=[number]) if number else ""
        advice = _ADVICE.get(row.kind) or (_MAIL if row.kind.startswith("mail_") else _ANY)
        made.append(DeskJob(row, number, url, advice))
    return made


def _order_of(payload: dict[str, Any]) -> str:
    try:
        if "order_id" in payload:
            return sales.order_by_id(payload["order_id"]).number
        if "line_id" in payload:
            return sales.get_line(payload["line_id"]).order_number
        if "refund_id" in payload:
            return sales.order_by_id(payments.get_refund(payload["refund_id"]).order_id).number
        if "dispute_id" in payload:
            return sales.order_by_id(payments.get_dispute(payload["dispute_id"]).order_id).number
    except (NoSuchOrder, *payments.NoSuchRow):
        return ""
    return str(payload.get("number", "")) if sales.find_order(str(payload.get("number", ""))) else ""
