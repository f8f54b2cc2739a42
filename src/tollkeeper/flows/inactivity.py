"""An account that nobody uses: its owner is told, and a month later it is closed unless somebody came back.

Used is: signed in, a session looked at, a key that was called, a plan that runs. Each person is
a step of their own, so that a run that was stopped has simply done less and the next one goes on.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterator

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.delivery import queries as deliveries
from tollkeeper.flows import erasure
from tollkeeper.kit import egress, mail
from tollkeeper.kit.jobs import Context, enqueue, job, schedule
from tollkeeper.kit.purposes import serving
from tollkeeper.kit.sealed import Closed, ErasedText
from tollkeeper.privacy import inactivity
from tollkeeper.privacy.retention import Due
from tollkeeper.sales import queries as sales

RULE = "inactive"


def last_used(subject: uuid.UUID) -> dt.datetime:
    """When an account was last used by its owner or by their programs."""
    last = accounts.last_active(subject)
    customer = accounts.customer_of(subject)
    if customer is None:
        return last
    if sales.current_plan(customer) is not None:
        return timezone.now()
    days = [key.last_used_on for key in deliveries.list_keys(customer) if key.last_used_on is not None]
    return max([last, *(dt.datetime.combine(day, dt.time(23, 59), dt.UTC) for day in days)])


def _silent(now: dt.datetime) -> Iterator[uuid.UUID]:
    """People who are to be told now."""
    before, known = inactivity.silent_before(now), inactivity.noticed()
    for subject in accounts.idle_since(before):
        if subject not in known and last_used(subject) < before and not inactivity.spared(subject):
            yield subject


def _over(now: dt.datetime) -> Iterator[inactivity.NoticeRow]:
    """Notices whose account closes now."""
    for row in inactivity.over(now.date()):
        if last_used(row.subject) < row.noticed_at and not inactivity.spared(row.subject):
            yield row


def run(now: dt.datetime) -> dict[str, int]:
    """Forget notices of people who came back, close what is over, tell who fell silent; how many each."""
    done = {"cancelled": 0, "closed": 0, "told": 0}
    for subject in inactivity.noticed():
        row = inactivity.of_person(subject)
        if row is not None and last_used(subject) >= row.noticed_at:
            done["cancelled"] += inactivity.cancel(subject)
    for row in list(_over(now)):
        with transaction.atomic():
            inactivity.cancel(row.subject)
            number = erasure.close_account(row.subject)
            enqueue("mail_closing", f"closing:{number}:letter", number=number)
        done["closed"] += 1
    for subject in list(_silent(now)):
        with transaction.atomic():
            notice_id = inactivity.notice(subject, now)
            if notice_id is not None:
                enqueue("mail_inactivity", f"inactivity:{notice_id}", notice=notice_id)
                done["told"] += 1
    return done


def due_now(now: dt.datetime) -> list[Due]:
    """What a run would do now, for the page that shows what is due: empty after each run."""
    days = (now - inactivity.silent_before(now)).days
    counts = {days: sum(1 for _ in _silent(now)), inactivity.NOTICE_DAYS: sum(1 for _ in _over(now))}
    return [Due("accounts.User", RULE, period, rows) for period, rows in counts.items() if rows]


@schedule("watch_inactivity", every_s=24 * 3600, purpose="legal")
def watch_inactivity(context: Context) -> None:
    """Tell people who fell silent, and close what stayed silent."""
    run(timezone.now())


@job("mail_inactivity", purpose="notice")
def mail_inactivity(context: Context, notice: int) -> None:
    """Tell a person that their account closes, when, and how to keep it."""
    row = inactivity.find_notice(notice)
    if row is None or row.told_at is not None:
        return
    with serving("notice"):
        address = accounts.find_email(row.subject)
    if address is not None and not isinstance(address, Closed | ErasedText):
        values = {
            "close_on": timezone.now().date() + dt.timedelta(days=inactivity.NOTICE_DAYS),
            "link": f"{settings.PUBLIC_URL}/accounts/login/",
            "copy": f"{settings.PUBLIC_URL}/console/privacy/",
        }
        with egress.about(subject=row.subject, purpose="notice"):
            mail.send("inactivity", address, values, language=accounts.language_of(row.subject))
    inactivity.told(notice)


def _came_back(sender: object, user: object, **_: object) -> None:
    subject = getattr(user, "pk", None)
    if isinstance(subject, uuid.UUID):
        inactivity.cancel(subject)


user_logged_in.connect(_came_back, dispatch_uid="inactivity-came-back")
