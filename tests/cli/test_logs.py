"""What logs hold, on the command line."""

import pytest
from django.conf import settings
from django.utils import timezone
from typer.testing import CliRunner

from tollkeeper.accounts import services
from tollkeeper.catalog.services import load_shop
from tollkeeper.cli.main import build
from tollkeeper.flows import log_days
from tollkeeper.flows.policy_change import load_policy

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)


def say(*words: str) -> tuple[int, str]:
    answer = CliRunner().invoke(build("logs"), ["logs", *words])
    return answer.exit_code, answer.output + str(answer.exception or "")


def test_days_are_listed_with_their_end() -> None:
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")
    log_days.prepare(timezone.now())
    code, text = say("list")
    assert code == 0
    assert "calls    oldest key 0 days; a day goes after 30 days" in text


def test_an_address_is_not_opened_to_anybody() -> None:
    services.create_person("ada@example.org", None)
    code, text = say("caller", "req_x", "--by", "ada@example.org", "--reason", "attack")
    assert code
    assert "only an operator" in text
