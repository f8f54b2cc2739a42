"""From a changed file to a version in force, with everybody told on the way."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import time_machine
from django.core import mail
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.models import User
from tollkeeper.flows import policy_change
from tollkeeper.kit.models import Job
from tollkeeper.privacy import policy_queries, policy_store

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)
SHOP = Path(__file__).resolve().parents[2] / "shops" / "twtapi" / "policy.toml"


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(policy_store, "_evidence", [])
    path = tmp_path / "policy.toml"
    path.write_text(SHOP.read_text())
    return path


def longer(path: Path) -> Path:
    path.write_text(path.read_text().replace("[keep.session]\ndays = 14", "[keep.session]\ndays = 15"))
    return path


def tell() -> None:
    """Run the telling jobs until none waits."""
    while row := Job.objects.filter(kind="tell_policy_change", state="ready").order_by("pk").first():
        policy_change.tell_policy_change(None, **row.payload)
        Job.objects.filter(pk=row.pk).update(state="done")


def test_while_nobody_has_an_account_even_a_material_change_starts_at_once(file):
    assert policy_change.load_policy(file) == 1
    assert policy_change.load_policy(longer(file)) == 2
    assert policy_queries.get_current().number == 2
    assert policy_change.load_policy(file) == 2


def test_with_accounts_a_material_change_waits_for_its_announcement(file, mailoutbox):
    policy_change.load_policy(file)
    accounts.create_person("ada@example.org", None, language="zh-hans")
    accounts.create_person("bob@example.org", None)
    lost = User.objects.create_user()
    assert policy_change.load_policy(longer(file)) == 2
    assert policy_queries.get_current().number == 1

    policy_change.announce(2)
    tell()
    assert {message.to[0] for message in mailoutbox} == {"ada@example.org", "bob@example.org"}
    counts = policy_queries.notice_counts(2)
    assert (counts.due, counts.sent, counts.bounced) == (3, 2, 1)
    assert policy_queries.open_notices(lost.pk)
    by_person = {message.to[0]: message for message in mailoutbox}
    assert "lengthens a period" in by_person["bob@example.org"].body
    assert "延长期限" in by_person["ada@example.org"].body
    assert "/privacy/versions/2/changes/" in by_person["bob@example.org"].body

    policy_change.start_policies(None)
    assert policy_queries.get_current().number == 1
    with time_machine.travel(timezone.now() + dt.timedelta(days=31)):
        policy_change.start_policies(None)
        policy_change.start_policies(None)
    assert policy_queries.get_current().number == 2


def test_nobody_is_told_twice_and_everybody_once_in_batches(file, monkeypatch):
    monkeypatch.setattr(policy_change, "BATCH", 2)
    policy_change.load_policy(file)
    for number in range(5):
        accounts.create_person(f"p{number}@example.org", None)
    policy_change.load_policy(longer(file))
    policy_change.announce(2)
    tell()
    assert sorted(message.to[0] for message in mail.outbox) == [
        f"p{number}@example.org" for number in range(5)
    ]
    policy_change.tell_policy_change(None, number=2, part=9)
    assert len(mail.outbox) == 5
