"""Demands and hold orders on the desk, by two operators in their browsers; the counts everybody may see."""

from __future__ import annotations

import datetime as dt
import io
import json
import uuid
import zipfile

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.conf import settings
from django.core import mail
from django.test import Client
from django.utils import timezone

from tests.services.money import Till, open_till
from tollkeeper.accounts import services as accounts
from tollkeeper.flows import erasure
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.payments import buyers
from tollkeeper.privacy import authorities, holds

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)
NEW = "/desk/privacy/authorities/new/"
FACTS = {"authority": "A court", "country": "de", "ground": "§ 1", "kind": "data", "record_sets": "support"}
LOOKED = {"form": "on", "jurisdiction": "on", "treaty": "on"}


@pytest.fixture
def till(transactional_db, tmp_path):  # type: ignore[no-untyped-def]
    with open_till(tmp_path) as opened:
        load_policy(settings.SHOP / "policy.toml")
        yield opened


def operator(name: str) -> tuple[Client, uuid.UUID]:
    user = accounts.create_person(f"{name}@example.org", None, is_staff=True)
    TOTP.activate(user, generate_totp_secret())
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[0])
    return client, user.pk


def person(till: Till) -> tuple[uuid.UUID, int]:
    user = accounts.create_person("ada@example.org", None)
    return user.pk, accounts.ensure_customer(user)


def entered(client: Client, **facts: str) -> str:
    answer = client.post(NEW, {**FACTS, **facts})
    assert answer.status_code == 302, answer.content.decode()
    return str(answer["Location"]).split("/")[4]


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"subject": "nobody@example.org"}, "nobody of this address"),
        ({"subject": ""}, "about a person"),
        ({"subject": "ada@example.org", "record_sets": ""}, "scope"),
        ({"subject": "ada@example.org", "gag_until": "2020-01-01"}, "lies ahead"),
        ({"subject": "ada@example.org", "kind": "books", "year": "2026"}, "fiscal year"),
        ({"subject": "", "kind": "books", "year": "1999"}, "2000"),
    ],
)
def test_what_a_letter_lacks_is_said_at_the_form(till: Till, facts: dict[str, str], said: str) -> None:
    person(till)
    client, _ = operator("one")
    given = {name: value for name, value in {**FACTS, **facts}.items() if value}
    answer = client.post(NEW, given)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert authorities.waiting() == []


def test_two_operators_give_out_the_scope_and_the_person_is_told(till: Till) -> None:
    person(till)
    one, _ = operator("one")
    two, _ = operator("two")
    number = entered(one, subject="ada@example.org", record_sets="account")
    at = f"/desk/privacy/authorities/{number}/"
    assert "another operator has to check" in one.get(at).content.decode()
    one.post(at + "check/", LOOKED)
    assert "another one" in one.get(at).content.decode()
    two.post(at + "check/", {"form": "on"})
    assert "fails a check" in two.get(at).content.decode()
    assert one.post(at + "give/").status_code == 302
    two.post(at + "check/", LOOKED)
    assert "Make the file" in two.get(at).content.decode()
    given = two.post(at + "give/")
    assert given["Content-Disposition"].endswith(f'"{number}.json"')
    assert "ada@example.org" in given.content.decode()
    assert {name.split(".")[0] for name in json.loads(given.content)} <= {
        "accounts",
        "account",
        "usersessions",
    }
    assert two.post(at + "give/").status_code == 302  # once
    till.work()
    assert mail.outbox[-1].to == ["ada@example.org"]
    case = authorities.find_case(number)
    assert case is not None
    assert case.told_at is not None


def test_a_demand_is_refused_and_counted(till: Till) -> None:
    person(till)
    one, _ = operator("one")
    number = entered(one, subject="ada@example.org")
    one.post(f"/desk/privacy/authorities/{number}/refuse/")
    year = timezone.now().year
    page = Client().get("/privacy/authorities/").content.decode()
    assert "1–9" in page
    (row,) = Client().get("/privacy/authorities.json").json()["years"]
    assert row == {"year": year, "received": "1–9", "released": "0", "refused": "1–9", "preserved": "0"}
    assert Client().get("/privacy/").content.decode().count("/privacy/authorities/") >= 1


def test_ten_are_told_exactly_and_a_quiet_year_too(till: Till) -> None:
    ada, _ = person(till)
    _, one = operator("one")
    for _number in range(10):
        authorities.open_case(
            ada, authority="A", country="DE", ground="x", kind="data", record_sets=("support",), opened_by=one
        )
    year = timezone.now().year
    assert [count.received for count in authorities.yearly_counts(year - 1, year)] == ["10", "0"]


def test_an_audit_reads_documents_from_the_vault(till: Till) -> None:
    ada, customer = person(till)
    buyers.set_buyer(customer, name="Ada GmbH", address="Street 1", country="AT", now=timezone.now())
    till.bought(customer)
    erasure.erase(ada)
    one, _ = operator("one")
    two, _ = operator("two")
    year = str(timezone.now().year)
    number = entered(one, kind="books", year=year)
    at = f"/desk/privacy/authorities/{number}/"
    two.post(at + "check/", LOOKED)
    with zipfile.ZipFile(io.BytesIO(two.post(at + "give/").content)) as file:
        assert "Ada GmbH" in file.read("documents.csv").decode()
        (label,) = [name[:-4] for name in file.namelist() if name.endswith(".pdf")]
    assert label in two.get(at).content.decode()
    assert "Ada GmbH" not in two.get(at).content.decode()
    assert two.get(f"{at}documents/{label}/").content.startswith(b"%PDF")
    assert two.get(f"{at}documents/NONE-1/").status_code == 404
    (order,) = holds.list_holds()
    assert order.year == int(year)


def test_a_hold_is_made_looked_at_again_and_released(till: Till) -> None:
    person(till)
    client, _ = operator("one")
    facts = {
        "subject": "ada@example.org",
        "record_set": "support",
        "ground": "crime",
        "review_on": "2020-01-01",
    }
    assert "authority" in client.post("/desk/privacy/holds/new/", facts).content.decode()
    soon = str(timezone.now().date() + dt.timedelta(days=5))
    facts |= {"authority": "Police", "review_on": soon}
    assert client.post("/desk/privacy/holds/new/", facts).status_code == 302
    (order,) = holds.list_holds()
    assert "Keep 90 days more" in client.get("/desk/privacy/").content.decode()
    client.post(f"/desk/privacy/holds/{order.number}/review/")
    (later,) = holds.list_holds()
    assert later.review_on > order.review_on
    client.post(f"/desk/privacy/holds/{order.number}/release/")
    assert holds.list_holds() == []
    client.post(f"/desk/privacy/holds/{order.number}/review/")
    assert "no open hold order" in client.get("/desk/privacy/").content.decode()
