"""No page of the desk without a second factor; whoever has none is led to set it up."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.conf import settings
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.models import User
from tollkeeper.catalog.services import load_shop
from tollkeeper.flows.policy_change import load_policy

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)
PASSWORD = "a-long-enough-phrase-7"


@pytest.fixture(autouse=True)
def shop() -> None:
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")


def _operator() -> tuple[User, Client]:
    user = accounts.create_person("op@example.org", PASSWORD, is_staff=True)
    client = Client()
    client.post("/accounts/login/", {"login": "op@example.org", "password": PASSWORD})
    return user, client


def _desk_pages() -> list[str]:
    found = []
    for one in get_resolver().url_patterns:
        rows = one.url_patterns if isinstance(one, URLResolver) else [one]
        found += [
            f"/{row.pattern}"
            for row in rows
            if isinstance(row, URLPattern) and str(row.pattern)[:5] == "desk/"
        ]
    return [path for path in found if "<" not in path and path != "/desk/second-factor/"]


def test_every_page_of_the_desk_leads_to_the_second_factor() -> None:
    _, client = _operator()
    pages = _desk_pages()
    assert len(pages) > 12
    for path in pages:
        for answer in (client.get(path), client.post(path)):
            if answer.status_code != 405:
                assert answer.status_code == 302, path
                assert urlsplit(answer["Location"]).path == "/desk/second-factor/", path
    answer = client.get("/desk/orders/?money=paid")
    assert parse_qs(urlsplit(answer["Location"]).query)["next"] == ["/desk/orders/?money=paid"]
    page = client.get(answer["Location"]).content.decode()
    assert "/accounts/2fa/totp/activate/" in page


def test_it_is_set_up_in_the_browser_and_asked_for_at_every_sign_in() -> None:
    user, client = _operator()
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    form = client.get("/accounts/2fa/totp/activate/")
    assert form.status_code == 200
    secret = form.context["form"].secret
    client.post("/accounts/2fa/totp/activate/", {"code": _code(secret)})
    assert client.get("/desk/second-factor/?next=/desk/orders/")["Location"] == "/desk/orders/"
    assert client.get("/desk/second-factor/?next=//evil.example/")["Location"] == "/desk/"
    assert client.get("/desk/").status_code == 200
    client.post("/accounts/logout/")
    again = client.post("/accounts/login/", {"login": "op@example.org", "password": PASSWORD})
    assert again["Location"] == "/accounts/2fa/authenticate/"
    assert client.get("/desk/").status_code == 302
    assert user.is_staff


def _code(secret: str) -> str:
    return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))


def test_the_machines_owner_enrols_somebody_anew() -> None:
    user, client = _operator()
    TOTP.activate(user, generate_totp_secret())
    secret, address = accounts.enrol_totp(user.pk)
    assert address.startswith("otpauth://totp/")
    assert secret in address
    assert user.authenticator_set.count() == 1
    client.post("/accounts/logout/")
    client.post("/accounts/login/", {"login": "op@example.org", "password": PASSWORD})
    client.post("/accounts/2fa/authenticate/", {"code": _code(secret)})
    assert client.get("/desk/").status_code == 200


def test_it_is_for_operators_alone() -> None:
    accounts.create_person("ada@example.org", PASSWORD)
    client = Client()
    client.post("/accounts/login/", {"login": "ada@example.org", "password": PASSWORD})
    assert client.get("/desk/second-factor/").status_code == 404
