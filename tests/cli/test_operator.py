"""``operator add``: what is printed once lets somebody in."""

import pytest
from typer.testing import CliRunner

from tollkeeper.accounts import queries
from tollkeeper.accounts.models import User
from tollkeeper.cli.main import build

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)


def add(*words: str) -> str:
    answer = CliRunner().invoke(build("operator"), ["operator", "add", "ops@example.org", *words])
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_password_and_key_are_printed_once() -> None:
    told = add()
    assert "Password, shown only here" in told
    assert "otpauth://totp/" in told
    user = User.objects.get()
    assert queries.has_factor(user.pk)
    again = add()
    assert user.authenticator_set.count() == 1
    assert again != told


def test_without_a_key_the_first_visit_asks() -> None:
    assert "otpauth" not in add("--no-factor")
    assert not queries.has_factor(User.objects.get().pk)
