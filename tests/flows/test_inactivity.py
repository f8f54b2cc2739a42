"""An account that nobody uses is announced and closed; whoever comes back keeps it."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import msgspec
import pytest
import time_machine
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.models import User
from tollkeeper.catalog.services import load_shop
from tollkeeper.core.terms import KeyTerms
from tollkeeper.delivery.models import Key
from tollkeeper.flows import inactivity, restriction
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit import job_runner
from tollkeeper.kit.models import Job
from tollkeeper.privacy import holds
from tollkeeper.privacy.models import InactivityNotice

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])
START = dt.datetime(2026, 1, 10, 8, tzinfo=dt.UTC)
LATER = START + dt.timedelta(days=735)
PASSWORD = "correct-h0rse battery"


@pytest.fixture(autouse=True)
def shop(db: None) -> None:
    cache.clear()
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")


@pytest.fixture
def ada() -> User:
    return accounts.create_person("ada@example.org", PASSWORD, created_at=START, language="zh-hans")


def work() -> None:
    while context := job_runner.claim(["mail_inactivity"]):
        assert job_runner.run(context) == "done"


def closing(user: User) -> bool:
    user.refresh_from_db()
    return not user.is_active and Job.objects.filter(kind="erase_person").exists()


def test_told_first_closed_a_month_later_and_counted_as_due(ada: User, mailoutbox: list[Any]) -> None:
    with time_machine.travel(START + dt.timedelta(days=720), tick=False):
        assert inactivity.due_now(timezone.now()) == []
        assert inactivity.run(timezone.now()) == {"cancelled": 0, "closed": 0, "told": 0}
    with time_machine.travel(LATER, tick=False) as clock:
        (due,) = inactivity.due_now(timezone.now())
        assert (due.label, due.rule, due.rows) == ("accounts.User", "inactive", 1)
        assert inactivity.run(timezone.now())["told"] == 1
        assert inactivity.run(timezone.now())["told"] == 0, "once"
        assert inactivity.due_now(timezone.now()) == []
        work()
        (mail,) = mailoutbox
        assert mail.to == ["ada@example.org"]
        assert "关闭" in mail.subject
        clock.shift(dt.timedelta(days=29))
        inactivity.run(timezone.now())
        assert not closing(ada)
        clock.shift(dt.timedelta(days=1))
        assert [one.rows for one in inactivity.due_now(timezone.now())] == [1]
        assert inactivity.run(timezone.now())["closed"] == 1
        assert inactivity.due_now(timezone.now()) == []
    assert closing(ada)


def test_nobody_is_closed_who_was_not_told(ada: User) -> None:
    with time_machine.travel(LATER, tick=False) as clock:
        inactivity.run(timezone.now())  # and the mail does not go out
        clock.shift(dt.timedelta(days=40))
        assert inactivity.run(timezone.now())["closed"] == 0
    assert not closing(ada)


def test_signing_in_keeps_it(ada: User, mailoutbox: list[Any]) -> None:
    with time_machine.travel(LATER, tick=False) as clock:
        inactivity.run(timezone.now())
        work()
        clock.shift(dt.timedelta(days=20))
        Client().post("/accounts/login/", {"login": "ada@example.org", "password": PASSWORD})
        assert not InactivityNotice.objects.exists(), "at once"
        clock.shift(dt.timedelta(days=20))
        assert inactivity.run(timezone.now()) == {"cancelled": 0, "closed": 0, "told": 0}
    assert not closing(ada)


def test_a_program_that_calls_keeps_it(ada: User, mailoutbox: list[Any]) -> None:
    key = Key.objects.create(
        customer_id=accounts.ensure_customer(ada),
        digest=uuid.uuid4().bytes * 2,
        prefix_hint="tk_live_…abcd",
        name="k",
        unit="calls",
        terms=msgspec.json.encode(KeyTerms(plan="p", unit="calls")).decode(),
        last_used_on=(LATER - dt.timedelta(days=9)).date(),
    )
    with time_machine.travel(LATER, tick=False) as clock:
        assert inactivity.run(timezone.now())["told"] == 0
        Key.objects.filter(pk=key.pk).update(last_used_on=START.date())
        assert inactivity.run(timezone.now())["told"] == 1
        work()
        clock.shift(dt.timedelta(days=15))
        Key.objects.filter(pk=key.pk).update(last_used_on=timezone.now().date())
        assert inactivity.run(timezone.now())["cancelled"] == 1


@pytest.mark.parametrize("how", ["restricted", "held", "operator", "closed already"])
def test_who_must_be_left_alone_is(ada: User, how: str) -> None:
    staff = accounts.create_person("staff@example.org", None, is_staff=True, created_at=START)
    if how == "restricted":
        restriction.restrict(ada.pk)
    elif how == "held":
        day = timezone.now().date() + dt.timedelta(days=300)
        holds.hold(ada.pk, "account", ground="claim", reviewer=staff.pk, review_on=day)
    elif how == "operator":
        User.objects.filter(pk=ada.pk).update(is_staff=True)
    else:
        accounts.freeze(ada.pk)
    with time_machine.travel(LATER, tick=False):
        assert inactivity.due_now(timezone.now()) == []
        assert inactivity.run(timezone.now())["told"] == 0


def test_a_hold_that_comes_later_stops_the_closing(ada: User, mailoutbox: list[Any]) -> None:
    staff = accounts.create_person("staff@example.org", None, is_staff=True)
    with time_machine.travel(LATER, tick=False) as clock:
        inactivity.run(timezone.now())
        work()
        number = holds.hold(
            ada.pk,
            "orders",
            ground="claim",
            reviewer=staff.pk,
            review_on=LATER.date() + dt.timedelta(days=99),
        )
        clock.shift(dt.timedelta(days=31))
        assert inactivity.run(timezone.now())["closed"] == 0
        holds.release(number)
        assert inactivity.run(timezone.now())["closed"] == 1


def test_a_run_that_was_killed_goes_on(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(5):
        accounts.create_person(f"p{n}@example.org", None, created_at=START)
    real, calls = inactivity.enqueue, [0]

    def killed(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] == 3:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    with time_machine.travel(LATER, tick=False):
        monkeypatch.setattr(inactivity, "enqueue", killed)
        with pytest.raises(KeyboardInterrupt):
            inactivity.run(timezone.now())
        assert InactivityNotice.objects.count() == Job.objects.filter(kind="mail_inactivity").count() == 2
        monkeypatch.setattr(inactivity, "enqueue", real)
        assert inactivity.run(timezone.now())["told"] == 4
    assert InactivityNotice.objects.count() == Job.objects.filter(kind="mail_inactivity").count() == 6
