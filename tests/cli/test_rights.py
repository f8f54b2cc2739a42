"""Operators' verbs for people's rights on the command line."""

import json
import zipfile
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from typer.testing import CliRunner

from tollkeeper.accounts import services
from tollkeeper.catalog.services import load_shop
from tollkeeper.cli.main import build
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.privacy import holds, restrictions

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)
RUN = CliRunner()
app = build("rights")


@pytest.fixture(autouse=True)
def shop() -> None:
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")


def say(*words: str) -> tuple[int, str]:
    answer = RUN.invoke(app, ["rights", *words])
    return answer.exit_code, answer.output + str(answer.exception or "")


def test_a_hold_is_made_listed_and_released() -> None:
    ada = services.create_person("ada@example.org", None)
    services.create_person("me@example.org", None, is_staff=True)
    day = f"{timezone.now().year + 1}-01-01"
    made = ("hold", "ada@example.org", "orders", "--ground", "claim", "--by", "me@example.org", "--review-on")
    assert say(*made, "soon")[0] != 0
    assert say(*made, day)[0] == 0
    (order,) = holds.list_holds()
    assert order.subject == ada.pk
    assert order.number in say("list")[1]
    assert say("release", order.number, "--by", "me@example.org")[0] == 0
    assert say("release", order.number, "--by", "me@example.org")[0] != 0


def test_restriction_is_a_switch() -> None:
    ada = services.create_person("ada@example.org", None)
    assert say("restrict", "ada@example.org")[0] == 0
    assert restrictions.restricted(ada.pk)
    assert say("lift", "ada@example.org")[0] == 0
    assert not restrictions.restricted(ada.pk)


def test_an_authority_gets_its_scope_after_a_second_person_agreed(tmp_path: Path) -> None:
    for name in ("ada", "me", "you"):
        services.create_person(f"{name}@example.org", None, is_staff=name != "ada")
    told = say(
        "demand", "ada@example.org", "account", "--authority", "A court", "--country", "DE",
        "--ground", "law", "--by", "me@example.org",
    )[1]  # fmt: skip
    number = told.split()[1].rstrip(";")
    out = tmp_path / "case.json"
    give = ("give", number, "--by", "me@example.org", "--out", str(out))
    assert say(*give)[0] != 0
    assert not out.exists()
    agreed = ("check", number, "--form", "--jurisdiction", "--treaty", "--by")
    assert say(*agreed, "me@example.org")[0] != 0
    assert say(*agreed, "you@example.org")[0] == 0
    assert say(*give)[0] == 0
    tables = json.loads(out.read_text())
    assert "ada@example.org" in out.read_text()
    assert all(name.startswith(("accounts.", "account.", "usersessions.")) for name in tables)


def test_only_an_operator_decides() -> None:
    for name in ("ada", "bob"):
        services.create_person(f"{name}@example.org", None)
    code, told = say(
        "hold", "ada@example.org", "orders", "--ground", "claim", "--by", "bob@example.org",
        "--review-on", f"{timezone.now().year + 1}-01-01",
    )  # fmt: skip
    assert code != 0
    assert "name an operator with --by" in told
    assert holds.list_holds() == []


def test_a_tax_audit_reads_a_fiscal_year(tmp_path: Path) -> None:
    for name in ("me", "you"):
        services.create_person(f"{name}@example.org", None, is_staff=True)
    year = str(timezone.now().year)
    facts = ("--authority", "Revenue", "--country", "IE", "--ground", "TCA 886", "--by", "me@example.org")
    assert say("audit", "1999", *facts)[0] != 0
    number = say("audit", year, *facts)[1].split()[1].rstrip(";")
    out = tmp_path / "books.zip"
    give = ("give", number, "--by", "me@example.org", "--out", str(out))
    assert say(*give)[0] != 0
    assert not out.exists()
    agreed = ("check", number, "--form", "--jurisdiction", "--treaty", "--by", "you@example.org")
    assert say(*agreed)[0] == 0
    code, told = say(*give)
    assert (code, told.split()[0]) == (0, "0")
    assert zipfile.is_zipfile(out)
