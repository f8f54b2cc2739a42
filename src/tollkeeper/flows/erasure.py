"""A person is erased: frozen, noted, their rows gone or cut loose, their key destroyed, checked."""

from __future__ import annotations

import datetime as dt
import logging
import time
import uuid
from dataclasses import dataclass

from django.conf import settings
from django.core.signing import Signer
from django.db import transaction
from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as account_verbs
from tollkeeper.delivery import queries as deliveries
from tollkeeper.delivery import services as delivery_verbs
from tollkeeper.flows import forgetting as forgetting_flow
from tollkeeper.flows import standstill, unspent
from tollkeeper.kit import audit, egress, erasure_journal, mail, sealed
from tollkeeper.kit import queries as job_queries
from tollkeeper.kit import services as job_verbs
from tollkeeper.kit.job_context import Context, Retry
from tollkeeper.kit.jobs import enqueue, job
from tollkeeper.kit.purposes import OWN, Closed, serving
from tollkeeper.payments import statutory
from tollkeeper.privacy import discovery, erasing, forgetting, holds, policy_queries, requests
from tollkeeper.sales import plans
from tollkeeper.sales import queries as sales
from tollkeeper.usage import queries as usage


class StillBusy(Exception):
    """Calls of this person are still on their way: try again when their leases have ended."""


log = logging.getLogger("tollkeeper.erasure")

CLOSED = "account_closed"
"""What the gate answers to a key of an account whose owner may still change their mind."""


class TooLate(Exception):
    """The account cannot come back: it is being erased, or it was."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an erasure did. ``tables`` counts rows that went, ``kept`` rows that stay without a person."""

    tables: dict[str, int]
    kept: dict[str, int]
    seconds: float
    held: frozenset[str] = frozenset()
    """Tables that a hold order keeps; empty once everything is done."""
    number: str = ""
    """Under which the receipt is kept, with those who were told."""


def freeze(subject: uuid.UUID) -> None:
    """Stop everything of a person at once: sessions, sign-in, keys. Can be done again."""
    account_verbs.freeze(subject)
    customer = accounts.customer_of(subject)
    if customer is not None:
        for key in deliveries.list_keys(customer, gone=False):
            delivery_verbs.revoke_key(key.id, customer)


def erase(subject: uuid.UUID, *, busy_too: bool = False, request: str = "") -> Receipt:
    """Erase a person now. Raises :class:`StillBusy` while a gate holds units of theirs.

    ``busy_too`` does not wait: nothing serves while a restored book is made good. ``request`` is
    the number under which the receipt is kept.

    The notes in the journal and in the trail, and who has to be told, are made before the first
    row goes, and the key is destroyed after the rows are gone, so that a crash in between leaves
    either a person who can be erased again or rows that nobody can read. What a hold order names
    stays, with its key, until the order is released; the receipt says so.
    """
    started = time.perf_counter()
    freeze(subject)
    customer = accounts.customer_of(subject)
    if not busy_too and customer is not None and usage.has_open_leases(customer):
        raise StillBusy("a gate still holds units of this person")
    held = holds.held_tables(subject)
    steps = erasing.preview(subject, held)
    if not steps and not held:
        sealed.destroy(subject)
        return Receipt({}, {}, time.perf_counter() - started)
    erasure_journal.note(subject, timezone.now(), kept=held)
    with serving(OWN):
        address = accounts.find_email(subject)
        number = _prepare(subject, customer, request, held)
    if address and not isinstance(address, Closed):
        mail.forget(address)
    audit.record("subject.erase", subject=subject, object="accounts.User", note=f"tables:{len(steps)}")
    public_id = accounts.get_customer(customer).public_id if customer is not None else ""
    with transaction.atomic():
        done = erasing.erase_rows(subject, held)
        if customer is not None and not held:
            forgetting_flow.announce(customer, public_id)
    if not held:
        job_verbs.forget_results(subject.hex)
        sealed.destroy(subject)
    left = [
        step.label for step in steps if not step.stays and discovery.rows_of(step.label, subject).exists()
    ]
    if left:
        raise RuntimeError(f"rows are left in {', '.join(left)}")
    verb = "subject.erased_but_held" if held else "subject.erased"
    audit.record(verb, object="accounts.User", note=f"tables:{len(done)}")
    gone = {step.label: step.rows for step in done if not step.stays}
    kept = {step.label: step.rows for step in done if step.stays}
    forgetting.finish(number, gone, kept, whole=not held)
    return Receipt(gone, kept, time.perf_counter() - started, held, number)


def _prepare(subject: uuid.UUID, customer: int | None, request: str, held: frozenset[str]) -> str:
    """What only can be done while the rows are there, in one transaction: the vault is complete, who has
    to be told is noted, plans end. The number of the receipt."""
    with transaction.atomic():
        number = forgetting.begin(subject, request)
        forgetting_flow.plan(subject, number, held)
        if customer is not None:
            statutory.complete(customer)
            for plan in sales.list_plans(customer):
                plans.end(plans.lock_plan(plan.subscription_id), timezone.now())
    return number


@job("erase_person", purpose="legal", attempts=60)
def erase_person(context: Context, request: str, stopped: str = "", until: int = 0) -> None:
    """Erase whoever made a request as soon as their calls have ended; the request stays as proof."""
    subject = requests.find_subject(request)
    if subject is not None:
        if timezone.now().timestamp() < until and _counting(subject):
            raise Retry(after_s=30)
        try:
            receipt = erase(subject, request=request)
        except StillBusy:
            raise Retry(after_s=30) from None
        if receipt.held:
            return  # the request stays open: releasing the hold order takes it up again
    requests.answer_request(request)


def _counting(subject: uuid.UUID) -> bool:
    """Whether something of theirs is stopped and being counted for a refund."""
    customer = accounts.customer_of(subject)
    orders = sales.list_orders(customer, limit=500) if customer is not None else ()
    return any(unspent.returning(order) for order in orders)


def release_hold(number: str, actor: uuid.UUID | None = None) -> None:
    """Release a hold order; an erasure that waited for it goes on. Raises ``Refused``."""
    with transaction.atomic():
        subject = holds.release(number, actor)
        for waiting in requests.waiting_erasures(subject):
            enqueue("erase_person", f"erase:{waiting}:{number}", request=waiting)


def close_account(
    subject: uuid.UUID, *, at_once: bool = False, request: str = "", wait: dt.timedelta | None = None
) -> str:
    """Close a person's account on their own word: frozen now, erased after the time to think again.

    ``at_once`` skips that time; ``request`` is a request that asked for it; ``wait`` lets refunds
    that were begun be counted so long before rows go. Answers its number; with :func:`secret_of`
    it shows what became of it, and takes the closing back while there is time.
    """
    hours = 0 if at_once else policy_queries.get_current().policy.clocks.closure_cool_off_hours
    customer = accounts.customer_of(subject)
    with transaction.atomic():
        number = request or requests.open_request("erase", channel="console", subject=subject)
        account_verbs.freeze(subject)
        stopped = ""
        if customer is not None:
            stopped = standstill.stop_plans(customer)
            delivery_verbs.suspend_keys(customer, CLOSED)
        run_at = timezone.now() + dt.timedelta(hours=hours)
        erasure_journal.note(subject, timezone.now(), "asked")
        until = int((run_at + wait).timestamp()) if wait is not None else 0
        enqueue(
            "erase_person", f"erase:{number}", run_at=run_at, request=number, stopped=stopped, until=until
        )
    return number


def tell_of_closing(subject: uuid.UUID, number: str) -> None:
    """Send the link by mail, while there still is an address; whoever closes also sees it on the page."""
    with serving("notice"):
        address = accounts.find_email(subject)
    if address is None or isinstance(address, Closed):
        return
    values = {"number": number, "link": link_to(number), "closing": find_closing(number)}
    try:
        with egress.about(subject=subject, purpose="notice"):
            mail.send("account_closed", address, values, language=accounts.language_of(subject))
    except (OSError, egress.Refused):  # what the mail library raises is an OSError
        log.warning("the letter about closing %s could not be sent", number)


@dataclass(frozen=True, slots=True)
class Closing:
    """How far the end of an account is. ``erase_at`` is when the time to think again ends."""

    number: str
    state: str
    erase_at: dt.datetime | None
    receipt: forgetting.Receipt | None

    @property
    def can_come_back(self) -> bool:
        """Whether :func:`keep_account` would still do something."""
        return self.erase_at is not None and self.erase_at > timezone.now()


def find_closing(number: str) -> Closing | None:
    """What became of an account that was closed; None if there was none."""
    state = requests.find_state(number, "erase")
    if state is None:
        return None
    job = job_queries.find_job(f"erase:{number}")
    waits = job is not None and job.state == "ready" and state not in ("fulfilled", "withdrawn")
    receipt = forgetting.find_receipt(number)
    return Closing(number, state, job.run_at if job is not None and waits else None, receipt)


def link_to(number: str) -> str:
    """The address at which a closing is shown."""
    return f"{settings.PUBLIC_URL}/privacy/erasure/{number}/{secret_of(number)}/"


def secret_of(number: str) -> str:
    """What a link needs beside the number of an erasure: nothing is stored, nobody can guess it."""
    return Signer(salt="privacy.erasure").signature(number)


def keep_account(number: str, *, late_too: bool = False) -> None:
    """Take a closing back: the account is as it was. Raises :class:`TooLate`.

    ``late_too`` is for a restored book whose owner had taken it back in time.
    """
    with transaction.atomic():
        subject = requests.find_subject(number)
        waiting = job_queries.find_job(f"erase:{number}")
        in_time = waiting is not None and (late_too or waiting.run_at > timezone.now())
        ready = in_time and waiting is not None and waiting.state == "ready"
        if subject is None or waiting is None or not ready or not job_verbs.cancel_job(waiting.id):
            raise TooLate("This account cannot come back any more.")
        requests.answer_request(number, "withdrawn")
        account_verbs.thaw(subject)
        erasure_journal.note(subject, timezone.now(), "withdrawn")
        customer = accounts.customer_of(subject)
        if customer is not None:
            delivery_verbs.resume_keys(customer, CLOSED)
            standstill.resume_plans(customer, str(waiting.payload.get("stopped", "")))
        audit.record("subject.kept", subject=subject, object=f"privacy.Request:{number}")
