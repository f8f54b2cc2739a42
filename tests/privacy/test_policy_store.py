"""Versions of the policy: stored once, started when they may, and never changed."""

from __future__ import annotations

import datetime as dt
import uuid
from pathlib import Path

import pytest
from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone

from tollkeeper.accounts.models import User
from tollkeeper.core.policy import BadPolicy
from tollkeeper.kit import append_only
from tollkeeper.kit.trail.models import Entry
from tollkeeper.privacy import policy_queries, policy_store
from tollkeeper.privacy.models import PolicyNotice, PolicyVersion

pytestmark = pytest.mark.django_db
SHOP = Path(__file__).resolve().parents[2] / "shops" / "twtapi" / "policy.toml"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(SHOP.read_text())
    return path


@pytest.fixture(autouse=True)
def _no_probes(monkeypatch):
    monkeypatch.setattr(policy_store, "_evidence", [])


def change(path: Path, old: str, new: str) -> Path:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def longer(path: Path) -> Path:
    """A material change: sessions are kept longer."""
    return change(path, "[keep.session]\ndays = 14", "[keep.session]\ndays = 15")


def test_the_first_version_starts_at_once_and_a_second_reading_writes_nothing(file):
    assert policy_store.store_policy(file) == 1
    first = policy_queries.get_current()
    assert (first.number, first.state, first.material) == (1, "active", False)
    assert policy_store.store_policy(file) == 1
    assert PolicyVersion.objects.count() == 1
    assert Entry.objects.filter(verb="policy.activate").count() == 1


def test_comments_and_order_of_the_file_make_no_version(file):
    policy_store.store_policy(file)
    file.write_text("# a comment\n" + file.read_text())
    assert policy_store.store_policy(file) == 1


def test_a_change_of_wording_starts_at_once_and_the_old_page_stays_readable(file):
    policy_store.store_policy(file)
    before = policy_queries.get_current()
    old_page = before.page("en")
    change(file, "You cannot sign in.", "Signing in does not work.")
    assert policy_store.store_policy(file) == 2
    now = policy_queries.get_current()
    assert now.number == 2
    assert policy_queries.get_version(1).page("en") == old_page
    assert policy_queries.get_version(1).ended_at == now.activated_at
    assert [change.path[-1] for change in policy_queries.changes(2)] == ["en"]


def test_a_material_change_waits_until_everybody_was_told_and_its_day_came(file):
    policy_store.store_policy(file)
    user = User.objects.create_user()
    assert policy_store.store_policy(longer(file)) == 2
    now = timezone.now()
    assert policy_queries.get_current().number == 1
    assert policy_queries.get_version(2).reasons == ("period",)
    with pytest.raises(policy_store.Blocked, match="announce it"):
        policy_store.activate(2, now)

    day = policy_store.announce(2, [user.pk], now)
    assert day == now.date() + dt.timedelta(days=30)
    with pytest.raises(policy_store.Blocked, match="1 notices have not been sent"):
        policy_store.activate(2, now + dt.timedelta(days=31))

    (notice,) = policy_queries.waiting_notices(2)
    assert notice[1] == user.pk
    policy_store.notice_sent(notice[0], now)
    with pytest.raises(policy_store.Blocked, match="announced for"):
        policy_store.activate(2, now + dt.timedelta(days=29))
    policy_store.activate(2, now + dt.timedelta(days=31))
    assert policy_queries.get_current().number == 2


def test_a_notice_shows_in_the_console_until_it_is_closed(file):
    policy_store.store_policy(file)
    user = User.objects.create_user()
    policy_store.store_policy(longer(file))
    policy_store.announce(2, [user.pk], timezone.now())
    assert [notice.version for notice in policy_queries.open_notices(user.pk)] == [2]
    assert policy_queries.open_notices(uuid.uuid4()) == []
    policy_store.notice_seen(2, user.pk, timezone.now())
    assert policy_queries.open_notices(user.pk) == []


def test_a_newer_file_withdraws_what_was_only_announced(file):
    policy_store.store_policy(file)
    policy_store.store_policy(longer(file))
    policy_store.announce(2, [], timezone.now())
    change(file, "[keep.session]\ndays = 15", "[keep.session]\ndays = 14")
    change(file, "You cannot sign in.", "Signing in does not work.")
    assert policy_store.store_policy(file) == 3
    assert PolicyVersion.objects.get(number=2).state == "withdrawn"
    assert policy_queries.get_current().number == 3
    assert [version.number for version in policy_queries.list_public()] == [3, 1]


def test_a_promise_without_probe_or_attestation_cannot_start(file):
    policy_store.register_evidence(lambda: {f"T-{number:02}" for number in range(1, 40)})
    assert policy_store.store_policy(file) == 1
    assert policy_queries.find_current() is None
    with pytest.raises(policy_store.Blocked, match="Neither probe nor attestation: T-40"):
        policy_store.activate(1, timezone.now())
    policy_store.register_evidence(lambda: {"T-40"})
    policy_store.activate(1, timezone.now())


def test_a_contract_that_ran_out_stops_a_version(file):
    change(file, "until = 2028-01-12 }\ntransfer", "until = 2026-02-01 }\ntransfer")
    policy_store.store_policy(file)
    with pytest.raises(policy_store.Blocked, match=r"recipients.stripe.contract.until ran out on 2026-02-01"):
        policy_store.activate(1, timezone.now())


def test_placeholders_are_refused_where_money_is_real(file, monkeypatch):
    monkeypatch.setattr(settings, "ENV", _Live())
    with pytest.raises(BadPolicy) as caught:
        policy_store.store_policy(file)
    assert any(mistake.path == "controller.legal_name" for mistake in caught.value.mistakes)
    assert not PolicyVersion.objects.exists()


class _Live:
    live = True


def test_a_bad_file_writes_nothing(file):
    change(file, "[controller]", "[kontroller]")
    with pytest.raises(BadPolicy):
        policy_store.store_policy(file)
    assert not PolicyVersion.objects.exists()


def test_the_database_refuses_to_change_a_version(file):
    append_only.install()
    policy_store.store_policy(file)
    for attempt in (
        lambda: PolicyVersion.objects.update(body="{}"),
        lambda: PolicyVersion.objects.update(documents="{}"),
        lambda: PolicyVersion.objects.all().delete(),
    ):
        with pytest.raises(DatabaseError, match="only grows"), transaction.atomic():
            attempt()


def test_a_version_whose_text_was_changed_behind_our_back_is_found(file):
    policy_store.store_policy(file)
    assert policy_store.rendering_mistakes() == ()
    row = PolicyVersion.objects.get()
    PolicyVersion.objects.update(documents=row.documents.replace("privacy", "piracy"))
    assert policy_store.rendering_mistakes() == ("the page of version 1 is not what was stored",)


def test_other_phrases_make_a_new_version(file, monkeypatch):
    policy_store.store_policy(file)
    original = policy_store.render_documents
    monkeypatch.setattr(
        policy_store, "render_documents", lambda p: original(p).replace("At a glance", "Short")
    )
    assert "rendered differently" in policy_store.rendering_mistakes()[0]
    assert policy_store.store_policy(file) == 2
    assert PolicyNotice.objects.count() == 0
