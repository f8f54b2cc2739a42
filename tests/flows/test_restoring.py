"""The monthly rehearsal restores with the very command that people would use; old books lock the shop."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.models import User
from tollkeeper.catalog.services import load_shop
from tollkeeper.flows import erasure, rehearsing, restoring
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit import backups, erasure_journal, lockdown
from tollkeeper.kit.models import Job
from tollkeeper.privacy import policy_queries, requests, reviews

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)
sqlite = pytest.mark.skipif(
    "postgres" in str(settings.DATABASES["default"]["ENGINE"]), reason="of the SQLite book"
)


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOLLKEEPER_BACKUPS", str(tmp_path / "backups"))
    monkeypatch.setenv("TOLLKEEPER_KEY_BACKUPS", str(tmp_path / "keys"))
    monkeypatch.setattr(erasure_journal, "_path", lambda: tmp_path / "erasures.log")
    monkeypatch.setattr(lockdown, "_path", lambda: tmp_path / "lock")
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")


@sqlite
@pytest.mark.timeout(180)
def test_a_rehearsal_says_whether_backups_can_be_restored() -> None:
    user = accounts.create_person("ada@example.org", None)
    made = backups.make(timezone.now())
    erasure.erase(user.pk)
    rehearsing.rehearse([made])
    told = rehearsing.last_rehearsal()
    assert told is not None
    assert (told["ok"], told["backups"]) == (True, [made.name])
    made.path.write_bytes(b"rubbish")
    with pytest.raises(rehearsing.RestoreFailed):
        rehearsing.rehearse([made])
    told = rehearsing.last_rehearsal()
    assert told is not None
    assert "not what was written" in str(told["said"])


def test_a_rehearsal_that_held_is_a_review_of_the_audit_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    def last() -> tuple[object, object]:
        (line,) = [one for one in reviews.plan(policy, today) if one.name == rehearsing.REVIEW]
        return line.last_on, line.due_on

    policy, today = policy_queries.get_current().policy, timezone.now().date()
    days = dt.timedelta(days=policy.reviews["restore"].every_days)
    context: Any = None
    rehearsing.rehearse_restore(context)
    assert last()[0] is None, "without a backup nothing was rehearsed"
    made = backups.Backup("20260101T000000Z", timezone.now(), "sqlite", "book.sqlite3.sealed", 1, "")
    backups.folder().mkdir()
    monkeypatch.setattr(backups, "list_backups", lambda: [made])
    monkeypatch.setattr(rehearsing, "_restore", lambda *_: (1, "broken"))
    with pytest.raises(rehearsing.RestoreFailed):
        rehearsing.rehearse_restore(context)
    assert last()[0] is None, "a rehearsal that failed is none"
    monkeypatch.setattr(rehearsing, "_restore", lambda *_: (0, ""))
    rehearsing.rehearse_restore(context)
    assert last() == (today, today + days)


def test_a_book_with_erased_people_locks_itself_until_they_are_gone() -> None:
    user = accounts.create_person("ada@example.org", None)
    bob = accounts.create_person("bob@example.org", None)
    subject = user.pk
    erasure.erase(subject)
    assert not restoring.lock_if_restored()
    User.objects.create(id=subject)  # as an old copy of the book has it
    assert restoring.lock_if_restored()
    done = restoring.replay()
    assert (done.erased, done.revived) == (1, 0)
    assert not lockdown.locked()
    assert list(User.objects.values_list("pk", flat=True)) == [bob.pk]


def test_an_account_that_was_closed_since_is_closed_again() -> None:
    user = accounts.create_person("ada@example.org", None)
    erasure_journal.note(user.pk, timezone.now(), "asked")
    restoring.replay()
    user.refresh_from_db()
    assert not user.is_active
    restoring.replay()
    assert len(restoring.requests.waiting_erasures(user.pk)) == 1


def test_a_closing_that_was_taken_back_since_is_taken_back_again() -> None:
    ada = accounts.create_person("ada@example.org", None).pk
    number = erasure.close_account(ada)  # so it stands in the backup
    erasure_journal.note(ada, timezone.now(), "withdrawn")  # and this happened afterwards
    Job.objects.update(run_at=timezone.now())
    restoring.replay()
    assert User.objects.get(pk=ada).is_active
    assert Job.objects.get(key=f"erase:{number}").state == "cancelled"
    assert requests.waiting_erasures(ada) == []
