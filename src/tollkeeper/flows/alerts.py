"""Letters about units: half, four fifths or all of them used, and units that end soon; each once."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction

from tollkeeper.accounts import queries as accounts
from tollkeeper.core.money import show
from tollkeeper.core.terms import MICRO
from tollkeeper.flows import announcing
from tollkeeper.kit import mail
from tollkeeper.kit.jobs import Context, enqueue, job, schedule
from tollkeeper.privacy import restrictions
from tollkeeper.sales import allowances
from tollkeeper.sales import queries as sales
from tollkeeper.usage import queries as usage_queries
from tollkeeper.usage import services as usage

Owner = tuple[int, str]


def tell(owners: set[Owner]) -> int:
    """Raise alerts for balances that were just drawn on, with their letters; answers how many."""
    bound = _restricted()
    with transaction.atomic():
        fresh = usage.raise_alerts({owner for owner in owners if owner[0] not in bound})
        for alert_id in fresh:
            enqueue("mail_alert", f"mail:alert:{alert_id}", alert_id=alert_id)
            announcing.alert(alert_id)
    return len(fresh)


def _restricted() -> set[int]:
    """Customers whose data may only be stored: nothing is worked out about them."""
    found = (accounts.customer_of(person) for person in restrictions.restricted_people())
    return {customer for customer in found if customer is not None}


@schedule("tell_endings", every_s=3600, purpose="notice")
def tell_endings(context: Context) -> None:
    """Look for units that end soon."""
    context.step("raise", _raise_endings)


def _raise_endings() -> list[int]:
    fresh = usage.raise_endings(leave_out=_restricted())
    for alert_id in fresh:
        enqueue("mail_alert", f"mail:alert:{alert_id}", alert_id=alert_id)
        announcing.alert(alert_id)
    return fresh


@job("mail_alert", purpose="notice")
def mail_alert(context: Context, alert_id: int) -> None:
    """Write the letter of one alert."""
    context.call("send", _send, alert_id)


def _send(alert_id: int) -> str:
    alert = usage_queries.get_alert(alert_id)
    address = accounts.email_for(alert.customer_id)
    if address is None:
        return "nobody"
    if alert.kind.startswith("over_"):
        return _tell_overage(alert, address)
    balance = next((b for b in usage_queries.balances(alert.customer_id) if b.unit == alert.unit), None)
    if balance is None:
        return "nothing"
    values = {
        "kind": alert.kind,
        "percent": alert.kind.partition("_")[2],
        "unit": alert.unit,
        "left": balance.left // MICRO,
        "granted": balance.granted // MICRO,
        "ends_at": alert.ends_at,
        "link": f"{settings.PUBLIC_URL}/console/usage/",
        "plans": f"{settings.PUBLIC_URL}/plans/",
    }
    owner = accounts.get_customer(alert.customer_id).owner
    language = owner.language if owner else "en"
    template = "units_ending" if alert.kind == "ending" else "units_used"
    if mail.paused(template, owner.pk if owner else None):
        return "paused"
    mail.send(template, address, values, language=language)
    return "sent"


def _tell_overage(alert: usage_queries.AlertRow, address: str) -> str:
    """How much of the customer's own cap for use beyond the plan is reached."""
    found = allowances.by_grant(alert.grant_id)
    if found is None or found.state != "open":
        return "nothing"
    plan = sales.get_plan(found.subscription_id)
    owner = accounts.get_customer(alert.customer_id).owner
    language = owner.language if owner else "en"
    values = {
        "title": plan.title,
        "percent": alert.kind.partition("_")[2],
        "cap": show(found.cap_minor, found.terms.currency, language),
        "ends_at": found.ends_at,
        "link": f"{settings.PUBLIC_URL}/console/plans/{plan.subscription}/",
    }
    if mail.paused("overage_used", owner.pk if owner else None):
        return "paused"
    mail.send("overage_used", address, values, language=language)
    return "sent"
