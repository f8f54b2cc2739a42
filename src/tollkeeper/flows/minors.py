"""A report that an account is a child's: frozen at once, decided by a person, erased or undone."""

from __future__ import annotations

import datetime as dt
import uuid

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as account_verbs
from tollkeeper.delivery import services as deliveries
from tollkeeper.flows import erasure, standstill, unspent
from tollkeeper.flows.refund import CannotRefund
from tollkeeper.kit import audit, mail
from tollkeeper.kit import queries as job_queries
from tollkeeper.kit.jobs import Context, enqueue, job, schedule
from tollkeeper.privacy import minors, requests
from tollkeeper.sales import queries as sales

REASON = "minor_reported"
"""What the gate answers to a key of the account meanwhile."""
REFUNDS_WAIT = dt.timedelta(hours=6)
"""How long the erasure of a child lets refunds be counted before it goes on without them."""


def report(*, contact: str, account: str, words: str) -> str:
    """Take a report in and ask its writer to confirm their address; its number.

    Raises ``Refused``.
    """
    with transaction.atomic():
        number = requests.open_request("minor", channel="form", contact=contact)
        secret = minors.take(number, contact=contact, account=account, words=words)
    link = f"{settings.PUBLIC_URL}/privacy/minor/{number}/{secret}/"
    mail.send("minor_confirm", contact, {"number": number, "link": link})
    return number


def confirm(number: str, secret: str) -> None:
    """The writer opened the link: the account, if there is one, is frozen now. Raises ``Refused``."""
    with transaction.atomic():
        address = minors.confirm(number, secret)
        requests.start_clock(number, minors.decide_by(number).date())
        found = accounts.find_user(address) if address else None
        if found is not None and not found.is_staff:
            minors.name_subject(number, found.pk, was_active=found.is_active)
            account_verbs.freeze(found.pk)
            customer = accounts.customer_of(found.pk)
            stopped = ""
            if customer is not None:
                deliveries.suspend_keys(customer, REASON)
                stopped = standstill.stop_plans(customer)
            run_at = minors.decide_by(number)
            enqueue("late_minor_report", f"minor:{number}", run_at=run_at, number=number, stopped=stopped)


def decide(number: str, *, agree: bool, actor: uuid.UUID | None = None) -> None:
    """Erase down to the statutory minimum, or undo everything. Raises ``Refused``."""
    with transaction.atomic():
        row = minors.decide(number, agree=agree, actor=actor)
        requests.answer_request(number, note="agreed" if agree else "rejected")
        if row.subject is None:
            return
        customer = accounts.customer_of(row.subject)
        if agree:
            returning = customer is not None and _give_back(customer)
            erasure.close_account(row.subject, at_once=True, wait=REFUNDS_WAIT if returning else None)
            return
        if customer is not None:
            deliveries.resume_keys(customer, REASON)
            waiting = job_queries.find_job(f"minor:{number}")
            standstill.resume_plans(customer, str(waiting.payload["stopped"]) if waiting else "")
        if row.was_active:
            account_verbs.thaw(row.subject)


def _give_back(customer: int) -> bool:
    """Have everything that a child bought and did not use counted and refunded; True if there is any."""
    begun = False
    for order in sales.list_orders(customer, limit=500):
        if unspent.can_return(order):
            try:
                unspent.give_back(order.number, origin="system")
                begun = True
            except CannotRefund:
                continue
    return begun


@job("late_minor_report", purpose="legal")
def late_minor_report(context: Context, number: str, stopped: str = "") -> None:
    """The hours for a decision are over: said in the trail, and shown on the desk until it is made."""
    if any(row.number == number for row in minors.waiting()):
        audit.record("minor.late", object=f"privacy.MinorReport:{number}")


@schedule("forget_reporters", every_s=24 * 3600, purpose="legal")
def forget_reporters(context: Context) -> None:
    """What reporters wrote goes after 90 days; what nobody ever confirmed ends with it."""
    forget(timezone.now())


def forget(now: dt.datetime) -> int:
    """Take reporters' addresses and words away, of the report and of its request; how many."""
    gone = minors.forget_reporters(now)
    for number, lapsed in gone:
        requests.forget_writer(number)
        if lapsed:
            requests.answer_request(number, "lapsed")
    return len(gone)
