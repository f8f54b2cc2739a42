"""A child's account: money back before the rows go; a wrong report leaves everything as it was."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.conf import settings
from django.core import mail
from django.utils import timezone

from tests.services.money import Till
from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.models import User
from tollkeeper.flows import minors
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit.models import Job
from tollkeeper.kit.trail.models import Entry
from tollkeeper.payments.models import Refund
from tollkeeper.privacy import minors as reports
from tollkeeper.privacy.models import MinorReport
from tollkeeper.sales.models import Order, Subscription

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)


@pytest.fixture(autouse=True)
def policy() -> None:
    load_policy(settings.SHOP / "policy.toml")


def child(till: Till, plan: str) -> tuple[User, str]:
    user = accounts.create_person("child@example.org", None)
    return user, till.bought(accounts.ensure_customer(user), plan)


def reported() -> str:
    number = minors.report(contact="p@example.org", account="child@example.org", words="my child")
    found = re.search(r"/privacy/minor/\S+/(\S+)/", str(mail.outbox[-1].body))
    assert found is not None
    minors.confirm(number, found[1])
    return number


def test_what_was_not_used_goes_back_and_then_the_rows_go(till: Till) -> None:
    user, order = child(till, "pack-10k")
    total = Order.objects.get(number=order).total_minor
    number = reported()
    minors.decide(number, agree=True)
    for _ in range(12):
        till.deliver()
        till.wake()
    refund = Refund.objects.get()
    assert (refund.state, refund.amount_minor, refund.reason) == ("succeeded", total, "unspent")
    assert not User.objects.filter(pk=user.pk).exists()
    assert Order.objects.get(number=order).refunded_minor == total
    assert not Job.objects.filter(state="dead").exists()


def test_a_refund_that_is_never_counted_does_not_keep_the_child_here(till: Till) -> None:
    user, _ = child(till, "pack-10k")
    minors.decide(reported(), agree=True)
    Job.objects.filter(kind="return_unspent").update(run_at=timezone.now() + dt.timedelta(days=9))
    till.work()
    assert User.objects.filter(pk=user.pk).exists()
    late = Job.objects.get(kind="erase_person")
    late.payload["until"] = int(timezone.now().timestamp()) - 1
    late.run_at = timezone.now()
    late.save()
    till.work()
    assert not User.objects.filter(pk=user.pk).exists()


def test_a_wrong_report_is_undone_with_plans_and_keys(till: Till) -> None:
    user, _ = child(till, "pro")
    number = reported()
    till.work()
    assert Subscription.objects.get().state == "paused"
    minors.decide(number, agree=False)
    till.work()
    user.refresh_from_db()
    assert user.is_active
    assert Subscription.objects.get().state == "active"


def test_the_clock_of_a_decision_is_seventy_two_hours(till: Till) -> None:
    child(till, "pack-10k")
    number = reported()
    row = MinorReport.objects.get(number=number)
    assert row.confirmed_at is not None
    assert reports.decide_by(number) - row.confirmed_at == dt.timedelta(hours=72)
    Job.objects.filter(kind="late_minor_report").update(run_at=timezone.now())
    till.work()
    assert Entry.objects.filter(verb="minor.late").count() == 1
    with pytest.raises(reports.Refused):
        reports.decide_by("M-NONE")
