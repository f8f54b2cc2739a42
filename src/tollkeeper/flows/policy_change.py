"""From a changed policy file to a version in force: stored, announced, told to everybody, started.

A version without a material change starts when it is stored. A material one is announced by
an operator (or when no one has an account yet, starts at once); each person gets a mail and
a note in the console, and the version starts on the announced day by itself.
"""

from __future__ import annotations

from pathlib import Path

from django.db import transaction
from django.utils import timezone

from tollkeeper.accounts import queries as accounts
from tollkeeper.core.states import IllegalStep
from tollkeeper.kit import egress, mail
from tollkeeper.kit.jobs import Context, enqueue, job, schedule
from tollkeeper.privacy import policy_queries, policy_store
from tollkeeper.privacy.rendering.phrases import load

BATCH = 500


def load_policy(path: Path) -> int:
    """Bring the shop's ``policy.toml`` into the book; the number of the version it is.

    Where nobody has an account yet, a material change concerns nobody and starts at once.
    Raises ``core.policy.BadPolicy`` with every mistake, having written nothing.
    """
    number = policy_store.store_policy(path)
    if policy_queries.get_version(number).state == "draft" and not accounts.subject_ids(limit=1):
        now = timezone.now()
        with transaction.atomic():
            policy_store.waive_notice(number, now)
            if not policy_store.blockers(number, now):
                policy_store.activate(number, now)
    return number


def announce(number: int) -> None:
    """Announce a material version to everybody who has an account; the telling goes by jobs."""
    with transaction.atomic():
        policy_store.announce(number, accounts.subject_ids(), timezone.now())
        enqueue("tell_policy_change", f"policy:{number}:tell:0", number=number, part=0)


@job("tell_policy_change", purpose="notice")
def tell_policy_change(context: Context, number: int, part: int) -> None:
    """Send the notices of a version, a batch at a time; each is noted as soon as it left."""
    waiting = policy_queries.waiting_notices(number, BATCH)
    for notice_id, subject in waiting:
        address = accounts.find_email(subject)
        if address is None:
            policy_store.notice_sent(notice_id, timezone.now(), bounced=True)
            continue
        with egress.about(subject=subject):
            _tell(number, address, accounts.language_of(subject))
        policy_store.notice_sent(notice_id, timezone.now())
    if len(waiting) == BATCH:
        enqueue("tell_policy_change", f"policy:{number}:tell:{part + 1}", number=number, part=part + 1)


def _tell(number: int, address: str, language: str) -> None:
    version = policy_queries.get_version(number)
    phrases = load("zh" if language.startswith("zh") else "en")
    values = {
        "number": number,
        "service": version.policy.policy.service,
        "effective_on": phrases.date(version.effective_on) if version.effective_on else "",
        "changes": [phrases(f"material.{reason}") for reason in version.reasons],
    }
    mail.send("policy_change", address, values, language=language)


@schedule("start_policies", every_s=3600, purpose="legal")
def start_policies(context: Context) -> None:
    """Start the announced version whose day has come and against which nothing stands."""
    now = timezone.now()
    for version in policy_queries.list_public():
        if version.state == "announced" and not policy_store.blockers(version.number, now):
            try:
                policy_store.activate(version.number, now)
            except (policy_store.Blocked, IllegalStep):
                continue  # somebody withdrew it, or a contract ran out, in this very moment
