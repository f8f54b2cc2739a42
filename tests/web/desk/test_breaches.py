"""A breach on the desk: entered in a minute, judged, drafted, told, closed."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from tests.web.desk.test_privacy import operator
from tests.web.story import Strict
from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.models import User
from tollkeeper.catalog.services import load_shop
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit.job_runner import claim, run
from tollkeeper.privacy import breaches
from tollkeeper.support import services as support
from tollkeeper.web.desk.waiting import waiting_for

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)
NEW = "/desk/privacy/breaches/new/"
FIRST = {"kind": "seen", "facts": "A page was open.", "record_sets": "support"}


@pytest.fixture(autouse=True)
def shop() -> None:
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")
    ada = accounts.create_person("ada@example.org", None)
    support.open_ticket("t", "w", customer_id=accounts.ensure_customer(ada), owner=ada.pk)


@pytest.fixture
def client() -> Client:
    return operator()[0]


def page(client: Client, url: str) -> str:
    """A page in both languages; the English one."""
    texts = []
    for language in ("zh-hans", "en"):
        answer = client.get(url, headers={"Accept-Language": language, "Accept": "text/html"})
        assert answer.status_code == 200
        assert Strict(answer.content.decode()).wrong == []
        texts.append(answer.content.decode())
    return texts[-1]


def test_from_the_desk_a_breach_is_seen_to_its_end(client: Client) -> None:
    assert "/breaches/new/" in page(client, "/desk/privacy/")
    page(client, NEW)
    at = str(client.post(NEW, FIRST)["Location"])
    number = at.split("/")[4]
    row = breaches.find_breach(number)
    assert row is not None
    assert row.affected == 1
    text = page(client, at)
    assert "A page was open." in text
    assert "72 hours left" in text
    assert number in page(client, "/desk/privacy/")
    (waits,) = [
        one
        for one, _ in waiting_for(User.objects.get(is_staff=True), timezone.now().date())
        if one.number == number
    ]
    assert waits.action == "Judge"
    draft = client.get(f"{at}draft/")
    assert "attachment" in draft["Content-Disposition"]
    assert "no-store" in draft["Cache-Control"]
    assert "Art. 33" not in draft.content.decode(), "not late"

    client.post(f"{at}close/")
    assert breaches.unfinished(), "nothing is closed before it is judged"
    wrong = client.post(f"{at}judge/", {"risk": "high", "words": "Write to ada@example.org"})
    assert wrong.status_code == 422
    assert "Name nobody" in wrong.content.decode()
    client.post(f"{at}judge/", {"risk": "high", "words": "Your letter could be read."})
    client.post(f"{at}authority/")
    assert "Write to 1 person" in page(client, at)
    client.post(f"{at}people/")
    context = claim(["tell_of_breach"])
    assert context is not None
    assert run(context) == "done"
    assert re.search(r"1 told", page(client, at))
    client.post(f"{at}close/")
    assert breaches.unfinished() == []
    assert "closed" in page(client, at)
    assert number not in page(client, "/desk/privacy/")


def test_what_cannot_be_is_said_at_the_form(client: Client) -> None:
    for given in (
        {**FIRST, "noticed_at": "2100-01-01T00:00"},
        {**FIRST, "facts": "ada@example.org"},
        {"kind": "odd"},
    ):
        assert client.post(NEW, given).status_code == 422
    assert breaches.list_breaches() == []
    assert client.get("/desk/privacy/breaches/B-NONE/").status_code == 404
    assert client.get("/desk/privacy/breaches/B-NONE/draft/").status_code == 404
    assert client.post("/desk/privacy/breaches/B-NONE/odd/").status_code == 404
