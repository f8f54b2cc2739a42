"""``policy``: an operator sees what waits and why, announces, starts, and prints the texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tollkeeper.accounts.models import User
from tollkeeper.cli.policy import app
from tollkeeper.core.refusal import Refused
from tollkeeper.privacy import policy_queries, policy_store

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])
SHOP = Path(__file__).resolve().parents[2] / "shops" / "twtapi" / "policy.toml"


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(policy_store, "_evidence", [])
    path = tmp_path / "policy.toml"
    path.write_text(SHOP.read_text())
    policy_store.store_policy(path)
    User.objects.create_user()
    path.write_text(path.read_text().replace("[keep.session]\ndays = 14", "[keep.session]\ndays = 15"))
    policy_store.store_policy(path)
    return path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_status_says_what_stands_against_a_version(file):
    told = json.loads(run("status", "--json"))
    assert [(row["number"], row["state"]) for row in told["versions"]] == [(2, "draft"), (1, "active")]
    assert told["versions"][0]["reasons"] == ["period"]
    assert "announce it" in told["versions"][0]["blockers"][0]
    assert "announce it" in run("status")


def test_announce_sets_the_day_and_activate_waits_for_it(file):
    assert "1 people are told" in run("announce", "2")
    assert policy_queries.get_version(2).state == "announced"
    with pytest.raises(Refused, match="1 notices have not been sent yet"):
        run("activate", "2")
    with pytest.raises(Refused, match="cannot be announced"):
        run("announce", "1")


@pytest.mark.parametrize("command", ["announce", "activate"])
def test_an_unknown_number_is_said_in_one_sentence(file, command):
    with pytest.raises(Refused, match="there is no version 9"):
        run(command, "9")


@pytest.mark.parametrize(
    ("what", "language", "words"),
    [
        ("page", "en", "# Privacy policy"),
        ("page", "zh", "# 隐私政策"),
        ("record", "en", "# Record of processing activities"),
        ("california", "en", "# For people in California"),
    ],
)
def test_texts_are_printed_as_markdown(file, what, language, words):
    assert run("show", what, "--language", language).startswith(words)


def test_a_text_or_language_that_does_not_exist_is_refused(file):
    for arguments in (["show", "poem"], ["show", "page", "--language", "de"]):
        with pytest.raises(Refused):
            run(*arguments)
