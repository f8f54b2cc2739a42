"""The register of breaches on the command line, from the first minute to the end."""

import json
from pathlib import Path

import pytest
from django.conf import settings
from typer.testing import CliRunner

from tollkeeper.accounts import services
from tollkeeper.catalog.services import load_shop
from tollkeeper.cli.main import build
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.privacy import breaches
from tollkeeper.support import services as support

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)
RUN = CliRunner()
app = build("breach")
ME = ("--by", "me@example.org")


@pytest.fixture(autouse=True)
def shop() -> None:
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")
    services.create_person("me@example.org", None, is_staff=True)
    ada = services.create_person("ada@example.org", None)
    support.open_ticket("t", "w", customer_id=services.ensure_customer(ada), owner=ada.pk)


def say(*words: str) -> str:
    answer = RUN.invoke(app, ["breach", *words])
    assert answer.exit_code == 0, answer.output + str(answer.exception)
    return answer.output


def test_from_the_first_minute_to_the_end(tmp_path: Path) -> None:
    assert "1 people concerned" in say("open", "seen", "support", "--facts", "A page was open.", *ME)
    (row,) = breaches.list_breaches()
    assert "authority in 72 h" in say("list")
    say("judge", row.number, "high", "--words", "Your letter could be read.", *ME)
    say("draft", row.number, "--out", str(tmp_path / "draft.md"))
    assert "A page was open." in (tmp_path / "draft.md").read_text()
    say("told", row.number, *ME)
    assert "1 people" in say("tell-people", row.number, *ME)
    breaches.note_step(row.number, "people_told")
    say("close", row.number, *ME)
    assert "closed" in say("list")


def test_who_was_concerned_in_one_command() -> None:
    found = json.loads(say("who", "support", "--json", *ME))
    assert found["people"] == len(found["customers"]) == 1
    assert "support" in say("who", "support", *ME)
    assert "0 people together" in say("who", "support", "--rows-until", "2020-01-01", *ME)


def test_a_wrong_word_is_one_sentence() -> None:
    for words in (
        ("open", "odd", *ME),
        ("open", "seen", "--noticed", "soon", *ME),
        ("open", "seen", "--by", "ada@example.org"),
        ("judge", "B-0", "high", *ME),
        ("who", "all", *ME),
    ):
        answer = RUN.invoke(app, ["breach", *words])
        assert answer.exit_code != 0
        assert "\n" not in str(answer.exception)


def test_what_waits_names_it_first() -> None:
    say("open", "unavailable", *ME)
    (row,) = breaches.list_breaches()
    answer = RUN.invoke(build("rights"), ["rights", "list"])
    assert answer.output.startswith(row.number)
    assert "not judged" in answer.output
