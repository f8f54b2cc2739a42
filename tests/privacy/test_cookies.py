"""Only registered cookies are set; the privacy signal is heard, shown and noted."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.test import Client, RequestFactory

from tollkeeper.accounts.models import User
from tollkeeper.catalog.services import load_shop
from tollkeeper.core.policy import read_policy
from tollkeeper.privacy import choices, policy_queries, policy_store
from tollkeeper.privacy.cookies import OnlyRegistered, bare, registered
from tollkeeper.privacy.models import Choice

pytestmark = pytest.mark.django_db
FILE = Path(__file__).resolve().parents[2] / "shops" / "twtapi" / "policy.toml"
OPTIONAL = """
[purposes.tips]
title = { en = "Tips", zh = "提示" }
text = { en = "Showing tips.", zh = "显示提示。" }
basis = "consent"
necessity = { en = "Tips must know what was shown.", zh = "提示需要知道已显示的内容。" }
provision = "free"
consequence = { en = "No tips.", zh = "没有提示。" }
aggregates_only = true

[cookies.registry.tips]
purpose = { en = "Which tips you saw", zh = "您看过的提示" }
use = "tips"
need = "optional"
days = 30
when = { en = "When you switch tips on.", zh = "当您开启提示时。" }
without = { en = "No tips.", zh = "没有提示。" }

[rights]
"""


@pytest.fixture(autouse=True)
def policy(tmp_path, monkeypatch):
    monkeypatch.setattr(policy_store, "_evidence", [])
    load_shop(FILE.parent)
    path = tmp_path / "policy.toml"
    path.write_text(FILE.read_text().replace("[rights]\n", OPTIONAL, 1))
    policy_store.store_policy(path)
    return policy_queries.get_current().policy


def answer(*cookies: tuple[str, int | None], user: User | None = None, headers=None) -> HttpResponse:
    """What is left of a response that sets cookies ``(name, max-age)``."""

    def view(_: object) -> HttpResponse:
        response = HttpResponse("x")
        for name, age in cookies:
            response.set_cookie(name, "v", max_age=age)
        return response

    request = RequestFactory(headers=headers or {}).get("/")
    request.user = user or AnonymousUser()
    return OnlyRegistered(view)(request)


def test_a_cookie_of_the_register_is_set_and_another_is_not(caplog):
    response = answer(("sessionid", None), ("_ga", None), ("theme", None))
    assert set(response.cookies) == {"sessionid"}
    assert "_ga" in caplog.text


@pytest.mark.parametrize("prefix", ["__Host-", "__Secure-", ""])
def test_a_browsers_prefix_makes_no_other_cookie(prefix):
    assert bare(f"{prefix}sessionid") == "sessionid"
    assert set(answer((f"{prefix}sessionid", None)).cookies) == {f"{prefix}sessionid"}


def test_a_cookie_lives_no_longer_than_the_register_says():
    response = answer(("sessionid", 10**9), ("csrftoken", 60))
    assert response.cookies["sessionid"]["max-age"] == 14 * 86_400
    assert response.cookies["csrftoken"]["max-age"] == 60


def test_deleting_a_cookie_that_was_once_set_is_allowed():
    def view(_):
        response = HttpResponse("x")
        response.delete_cookie("old_tracker")
        return response

    assert "old_tracker" in OnlyRegistered(view)(RequestFactory().get("/")).cookies


def test_an_optional_cookie_needs_a_choice_and_goes_with_it():
    user = User.objects.create_user()
    assert "tips" not in answer(("tips", 60)).cookies
    assert "tips" not in answer(("tips", 60), user=user).cookies
    choices.choose("give", "tips", subject=user.pk, source="console", text="Show tips")
    assert "tips" in answer(("tips", 60), user=user).cookies
    assert "tips" not in answer(("tips", 60), user=user, headers={"Sec-GPC": "1"}).cookies
    choices.choose("withdraw", "tips", subject=user.pk, source="console", text="Show tips")
    assert "tips" not in answer(("tips", 60), user=user).cookies


def test_storage_of_another_kind_is_no_cookie(policy):
    assert registered(policy, "theme") is None
    assert registered(policy, "sessionid") is not None


@pytest.mark.parametrize("path", ["/", "/plans/", "/privacy/", "/contact/", "/accounts/login/"])
def test_pages_set_registered_cookies_only(path, policy):
    response = Client().get(path)
    assert response.status_code == 200
    assert {bare(name) for name in response.cookies} <= set(policy.cookies.registry)


def test_the_signal_is_shown_and_pages_vary_by_it():
    plain, heard = Client().get("/privacy/"), Client(headers={"Sec-GPC": "1"}).get("/privacy/")
    assert b"signal honoured" not in plain.content
    assert b"Opt-out preference signal honoured" in heard.content
    assert "Sec-GPC" in plain["Vary"]
    assert not Choice.objects.exists()


def test_the_signal_of_a_person_is_noted_once():
    user = User.objects.create_user()
    client = Client(headers={"Sec-GPC": "1"})
    client.force_login(user)
    for _ in range(3):
        client.get("/privacy/")
    row = Choice.objects.get()
    assert (row.subject_id, row.purpose, row.action, row.source) == (user.pk, "sale", "opt_out", "gpc")
    assert choices.opted_out(user.pk)
    other = Client(headers={"Sec-GPC": "1"})
    other.force_login(user)
    other.get("/privacy/")
    assert Choice.objects.count() == 1


def test_without_the_signal_nothing_is_noted():
    user = User.objects.create_user()
    client = Client(headers={"Sec-GPC": "0"})
    client.force_login(user)
    client.get("/privacy/")
    assert not choices.opted_out(user.pk)


def test_the_shops_have_no_optional_cookie():
    for name in ("twtapi", "gettoken"):
        registry = read_policy((FILE.parents[1] / name / "policy.toml").read_text()).cookies.registry
        assert not [key for key, one in registry.items() if one.need == "optional"]
