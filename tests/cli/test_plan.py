"""The switch of each product on the command line."""

from __future__ import annotations

import pytest
from django.conf import settings
from typer.testing import CliRunner

from tests.delivery.test_services import delivered
from tests.services.lines import PRO, customer
from tollkeeper.accounts import services
from tollkeeper.catalog.services import load_shop
from tollkeeper.cli.main import build
from tollkeeper.core.refusal import Refused
from tollkeeper.delivery.models import KeyEntry

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)
RUN = CliRunner()
app = build("plan")


def say(*words: str) -> str:
    answer = RUN.invoke(app, ["plan", *words])
    assert answer.exit_code == 0, answer.output + str(answer.exception)
    return answer.output


def test_a_plan_is_stopped_and_goes_on() -> None:
    load_shop(settings.SHOP)
    services.create_person("me@example.org", None, is_staff=True)
    delivered(customer(), 1, PRO)
    by = ("--by", "me@example.org")
    assert "for sale" in say("list")
    assert "Stopped, for 1 customers" in say("stop", "pro", "--reason", "Repairs.", *by)
    assert KeyEntry.objects.get().state == "suspended"
    assert "STOPPED since" in say("list")
    assert "for 1 customers" in say("resume", "pro", *by)
    assert KeyEntry.objects.get().state == "active"
    refused = RUN.invoke(app, ["plan", "stop", "pro", "--reason", "Repairs.", "--by", "nobody"])
    assert isinstance(refused.exception, Refused)
    assert KeyEntry.objects.get().state == "active"
