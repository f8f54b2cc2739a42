"""One person's data on the command line."""

import zipfile
from pathlib import Path

import pytest
from django.conf import settings
from typer.testing import CliRunner

from tollkeeper.accounts import services
from tollkeeper.accounts.models import User
from tollkeeper.cli.main import build
from tollkeeper.flows.policy_change import load_policy

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)
RUN = CliRunner()
app = build()


@pytest.fixture(autouse=True)
def _policy(transactional_db: None) -> None:
    load_policy(settings.SHOP / "policy.toml")


def test_a_copy_goes_into_a_private_file(tmp_path: Path) -> None:
    services.create_person("ada@example.org", None)
    out = tmp_path / "ada.zip"
    answer = RUN.invoke(app, ["export", "ADA@example.org", "--out", str(out)])
    assert answer.exit_code == 0, answer.output
    with zipfile.ZipFile(out) as copy:
        assert any(b"ada@example.org" in copy.read(name) for name in copy.namelist())
    assert out.stat().st_mode & 0o077 == 0
    assert RUN.invoke(app, ["export", "ada@example.org", "--out", str(out)]).exit_code != 0


def test_erasing_shows_first_and_needs_a_yes() -> None:
    person = services.create_person("ada@example.org", None)
    shown = RUN.invoke(app, ["erase", str(person.pk)])
    assert "accounts.User" in shown.output
    assert User.objects.count() == 1
    done = RUN.invoke(app, ["erase", "ada@example.org", "--yes"])
    assert done.exit_code == 0, done.output
    assert User.objects.count() == 0


@pytest.mark.parametrize("who", ["nobody@example.org", "nonsense", "00000000-0000-4000-8000-000000000000"])
def test_an_unknown_person_is_one_sentence(who: str) -> None:
    assert RUN.invoke(app, ["export", who]).exit_code != 0
