"""The job that makes a copy: killed and taken up again, told once, gone with its person."""

from __future__ import annotations

import datetime as dt
import threading
import uuid

import pytest
from django.conf import settings
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.catalog.services import load_shop
from tollkeeper.flows import copies as flow
from tollkeeper.flows import erasure
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit import job_runner
from tollkeeper.kit.models import Job
from tollkeeper.kit.purposes import OWN, serving
from tollkeeper.privacy import copies, requests
from tollkeeper.privacy.models import Copy

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])


@pytest.fixture(autouse=True)
def shop(db: None) -> None:
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")


@pytest.fixture
def ada() -> uuid.UUID:
    return accounts.create_person("ada@example.org", None, language="zh-hans").pk


def work() -> None:
    """Run every job that is due."""
    while (context := job_runner.claim(["build_copy", "mail_copy_ready"])) is not None:
        assert job_runner.run(context) == "done"


def test_the_job_builds_answers_and_tells_in_the_persons_language(ada: uuid.UUID, mailoutbox: list) -> None:
    number = flow.ask(ada)
    work()
    (row,) = copies.copies_of(ada)
    assert (row.number, row.state, row.rows_done) == (number, "ready", row.rows_total)
    assert [one.state for one in requests.requests_of(ada)] == ["fulfilled"]
    (mail,) = mailoutbox
    assert "您的数据副本已就绪" in mail.subject
    assert row.request in mail.body


def test_a_worker_that_was_killed_leaves_it_to_the_next(
    ada: uuid.UUID, mailoutbox: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = flow.ask(ada)
    real, begun = copies.write_copy, threading.Event()

    def killed(*args: object, **kwargs: object) -> None:
        args[1].write(b"half of it")  # type: ignore[attr-defined]
        begun.set()
        raise KeyboardInterrupt

    monkeypatch.setattr(copies, "write_copy", killed)
    context = job_runner.claim(["build_copy"])
    assert context is not None
    with pytest.raises(KeyboardInterrupt):
        job_runner.run(context)
    assert begun.is_set()
    assert copies.find_copy(number, ada).state == "building"  # type: ignore[union-attr]
    monkeypatch.setattr(copies, "write_copy", real)
    Job.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=9))
    work()
    with serving(OWN):
        _, pieces = copies.take(number, ada)
        assert b"".join(pieces).startswith(b"PK")
    assert len(mailoutbox) == 1


def test_what_cannot_be_made_says_so_and_may_be_asked_again(ada: uuid.UUID) -> None:
    number = flow.ask(ada)
    copies.fail(number)
    assert copies.find_copy(number, ada).state == "failed"  # type: ignore[union-attr]
    assert flow.ask(ada) != number


def test_a_copy_goes_with_its_person(ada: uuid.UUID) -> None:
    number = flow.ask(ada)
    work()
    key = Copy.objects.get(number=number).key
    assert key
    erasure.erase(ada)
    assert not Copy.objects.filter(number=number).exists()
    path = copies.folder() / f"{number}.sealed"
    if path.exists():  # sealed under a key that is gone; the sweeper takes the file
        copies.expire(timezone.now() + dt.timedelta(hours=2))
    assert not path.exists()
