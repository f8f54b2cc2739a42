"""Backups of the shop and the way back: locked until every erasure is carried out again.

    restore: lock → lay the backup in the book's place → bring its tables up to date →
    erase again whoever was erased since → apply the periods → open

Killed anywhere it stays locked, and :func:`replay` goes on.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass

from django.db import DatabaseError
from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as account_verbs
from tollkeeper.flows import erasure
from tollkeeper.kit import audit, backups, erasure_journal, lockdown
from tollkeeper.kit.jobs import Context, schedule
from tollkeeper.kit.keystore import vault
from tollkeeper.privacy import erasing, holds, policy_queries, requests, retention

_SLACK_DAYS = 3
"""Backups go this much earlier than the page promises: a day without a worker breaks no word."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did: people erased again, rows past their period."""

    erased: int
    due: int
    revived: int


def promised_days() -> int:
    """How long the privacy policy says that a backup lives at most."""
    version = policy_queries.find_current()
    return version.policy.clocks.closure_backups_days if version else 35


def keep_days() -> int:
    """How long a backup is kept: the page's promise, less some days."""
    return max(1, promised_days() - _SLACK_DAYS)


def revived() -> set[uuid.UUID]:
    """People in the book who were erased before: only a restored backup can bring them back."""
    lines = erasure_journal.latest().values()
    begun = {line.subject for line in lines if line.what == "begun" and not line.kept}
    return accounts.present(begun | vault.tombstones())


def lock_if_restored() -> bool:
    """Lock the home if the book holds people whose keys are destroyed, however that came about."""
    try:
        if not lockdown.locked() and accounts.present(vault.tombstones()):
            lockdown.lock("found")
    except DatabaseError:
        return lockdown.locked()  # a book without tables holds nobody
    return lockdown.locked()


def replay(now: dt.datetime | None = None) -> Replayed:
    """Carry out every erasure of the journal again, apply the periods, open the home.

    Accounts that were closed since the backup are closed again, and a closing that was taken back
    since is taken back again. Doing it again does nothing.
    """
    now = now or timezone.now()
    again = revived()
    for subject in sorted(again):
        holds.release_all(subject)
        erasure.erase(subject, busy_too=True)
    lines = erasure_journal.latest()
    present = accounts.present(lines)
    for subject, line in sorted(lines.items()):
        if subject not in present:
            continue
        if line.kept:
            erasing.erase_rows(subject, line.kept)
        elif line.what == "asked" and not requests.waiting_erasures(subject):
            erasure.close_account(subject)
        elif line.what == "withdrawn":
            for number in requests.waiting_erasures(subject):
                erasure.keep_account(number, late_too=True)
    account_verbs.end_all_sessions()
    due = sum(retention.run(now).values())
    left = revived()
    if left:
        raise RuntimeError(f"{len(left)} erased people are still in the book")
    audit.record("book.restored", note=f"erased:{len(again)},due:{due}")
    lockdown.unlock()
    return Replayed(len(again), due, len(left))


@schedule("make_backup", every_s=24 * 3600, purpose="security")
def make_backup(context: Context) -> None:
    """One backup a day; old ones and old copies of keys go."""
    now = timezone.now()
    backups.make(now)
    prune(now)


def prune(now: dt.datetime) -> list[str]:
    """Throw away what is too old, then the lines of the erasure journal that no backup needs."""
    gone = backups.prune(now, keep_days())
    oldest = backups.list_backups()
    first = min([one.made_at for one in oldest[:1]], default=now)
    erasure_journal.forget(first - dt.timedelta(days=2 * keep_days()))
    return gone
