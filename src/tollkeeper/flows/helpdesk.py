"""A letter to the shop, from its first word to its answer: clocks of the policy, receipts, mails.

A customer reads answers in the console; the mail carries a link. A stranger's mail carries
the answer itself and a link with which they can read on and write back. Jobs know numbers
only; addresses and words are opened when the mail is made, and kept nowhere else.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import replace

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.kit import egress, mail
from tollkeeper.kit.jobs import Context, enqueue, job, schedule
from tollkeeper.privacy import policy_queries
from tollkeeper.support import queries as tickets
from tollkeeper.support import services as support
from tollkeeper.support.files import CleanFile
from tollkeeper.support.services import NOTHING, Extra


def _with_clock(complaint: bool, extra: Extra) -> Extra:
    """``extra`` with the period in which the policy in force promises an answer."""
    version = policy_queries.find_current()
    if version is None:
        return extra
    clocks = version.policy.clocks
    days = clocks.complaint_answer_days if complaint else clocks.support_answer_days
    return replace(extra, answer_within=dt.timedelta(days=days))


def write(
    title: str,
    body: str,
    *,
    customer_id: int | None = None,
    owner: uuid.UUID | None = None,
    contact: str | None = None,
    complaint: bool = False,
    extra: Extra = NOTHING,
) -> str:
    """Take a letter in and confirm its receipt by mail; its number. Raises ``Refused``."""
    with transaction.atomic():
        number = support.open_ticket(
            title,
            body,
            customer_id=customer_id,
            owner=owner,
            contact=contact,
            complaint=complaint,
            extra=_with_clock(complaint, extra),
        )
        enqueue("mail_ticket_receipt", f"ticket:{number}:receipt", number=number, left=extra.left)
    return number


def write_back(number: str, body: str, files: Sequence[CleanFile] = ()) -> None:
    """The writer adds to their ticket. Raises ``Refused`` or ``Ticket.DoesNotExist``."""
    ticket = tickets.find_ticket(number)
    complaint = ticket is not None and ticket.complaint
    support.add_message(number, body, from_us=False, extra=_with_clock(complaint, Extra(files=tuple(files))))


def answer(number: str, body: str, staff: uuid.UUID, files: Sequence[CleanFile] = ()) -> None:
    """One of us answers; the writer is told by mail. Raises ``Refused``."""
    with transaction.atomic():
        message_id = support.add_message(
            number, body, from_us=True, author=staff, extra=Extra(files=tuple(files))
        )
        enqueue("mail_ticket_answer", f"ticket:{number}:answer:{message_id}", number=number)


def guest_link(number: str) -> str:
    """Where a stranger reads their ticket."""
    return f"{settings.PUBLIC_URL}/contact/{number}/{tickets.guest_secret(number)}/"


def _address(ticket: tickets.TicketRow) -> str | None:
    if ticket.customer_id is not None:
        return accounts.email_for(ticket.customer_id)
    return tickets.find_contact(ticket.number)


def _mail(number: str, template: str, *, with_words: bool, left: int = 0) -> None:
    """Write to whoever opened the ticket; nothing happens if they are erased meanwhile."""
    found = tickets.find_thread(number)
    if found is None:
        return
    ticket, messages = found
    address = _address(ticket)
    if address is None:
        return
    guest = ticket.customer_id is None
    ours = [message.body for message in messages if message.from_us]
    values = {
        "number": number,
        "complaint": ticket.complaint,
        "due_at": ticket.due_at,
        "link": guest_link(number) if guest else f"{settings.PUBLIC_URL}/console/support/{number}/",
        "guest": guest,
        "left": left,
        "words": ours[-1] if with_words and guest and ours else "",
    }
    owner = accounts.get_customer(ticket.customer_id).owner_id if ticket.customer_id is not None else None
    with egress.about(subject=owner):
        version = policy_queries.find_current()
        reply_to = version.policy.contact.support_email if version else ""
        mail.send(template, address, values, language=ticket.language, reply_to=reply_to)


@job("mail_ticket_receipt", purpose="support")
def mail_ticket_receipt(context: Context, number: str, left: int = 0) -> None:
    """Confirm that a letter arrived, and until when it is answered."""
    _mail(number, "ticket_receipt", with_words=False, left=left)
    support.acknowledge(number)


@job("mail_ticket_answer", purpose="support")
def mail_ticket_answer(context: Context, number: str) -> None:
    """Tell the writer that there is an answer."""
    _mail(number, "ticket_answer", with_words=True)


@schedule("remind_complaints", every_s=6 * 3600, purpose="support")
def remind_complaints(context: Context) -> None:
    """Tell the shop once a day of complaints whose time is up; numbers only."""
    late = tickets.due_complaints(timezone.now())
    if late:
        today = timezone.now().date()
        enqueue("mail_late_complaints", f"complaints:{today}", day=str(today))


@job("mail_late_complaints", purpose="support")
def mail_late_complaints(context: Context, day: str) -> None:
    """The reminder itself, to the shop's own support address."""
    late = tickets.due_complaints(timezone.now())
    version = policy_queries.find_current()
    if late and version is not None:
        values = {"numbers": [row.number for row in late], "link": f"{settings.PUBLIC_URL}/desk/tickets/"}
        mail.send("late_complaints", version.policy.contact.support_email, values)
