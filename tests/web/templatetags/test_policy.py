"""Words of the policy on other pages: the notice at a form, and what changes for a person."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone, translation

from tollkeeper.accounts.models import User
from tollkeeper.privacy import policy_store

pytestmark = pytest.mark.django_db
SHOP = Path(__file__).resolve().parents[3] / "shops" / "twtapi" / "policy.toml"


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(policy_store, "_evidence", [])
    path = tmp_path / "policy.toml"
    path.write_text(SHOP.read_text())
    policy_store.store_policy(path)
    return path


def shown(text: str, user: User | None = None) -> str:
    request = RequestFactory().get("/")
    if user is not None:
        request.user = user
    return Template("{% load policy %}" + text).render(Context({"request": request}))


def test_without_a_policy_nothing_is_shown():
    assert shown('{% policy_notice "contact" %}').strip() == ""


def test_the_notice_speaks_the_language_of_the_page(file):
    assert "TwtAPI Example Ltd." in shown('{% policy_notice "contact" %}')
    with translation.override("zh-hans"):
        assert "保存" in shown('{% policy_notice "contact" %}')


def test_a_person_is_told_of_a_change_until_they_close_the_note(file):
    user = User.objects.create_user()
    assert shown("{% policy_changes %}", user).strip() == ""
    file.write_text(file.read_text().replace("[keep.session]\ndays = 14", "[keep.session]\ndays = 15"))
    policy_store.store_policy(file)
    now = timezone.now()
    policy_store.announce(2, [user.pk], now)
    text = shown("{% policy_changes %}", user)
    assert "changes on" in text
    assert "lengthens a period" in text
    assert f"{(now + dt.timedelta(days=30)).year}" in text
    assert shown("{% policy_changes %}", User.objects.create_user()).strip() == ""
    assert shown("{% policy_changes %}").strip() == ""
    policy_store.notice_seen(2, user.pk, now)
    assert shown("{% policy_changes %}", user).strip() == ""
