"""The seam to allauth: which version, which migrations, and what its rows look like raw."""

import importlib.metadata
import json
from pathlib import Path

import allauth
import pytest
from allauth.account.models import EmailAddress, EmailConfirmation
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.usersessions.models import UserSession
from django.core.management import call_command
from django.db import connection

from tollkeeper.accounts.models import User
from tollkeeper.kit import sealed
from tollkeeper.kit.bound import BoundEmailField

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)

SHIPPED = {
    "account": [
        "0001_initial",
        "0002_email_max_length",
        "0003_alter_emailaddress_create_unique_verified_email",
        "0004_alter_emailaddress_drop_unique_email",
        "0005_emailaddress_idx_upper_email",
        "0006_emailaddress_lower",
        "0007_emailaddress_idx_email",
        "0008_emailaddress_unique_primary_email_fixup",
        "0009_emailaddress_unique_primary_email",
    ],
    "mfa": ["0001_initial", "0002_authenticator_timestamps", "0003_authenticator_type_uniq"],
    "usersessions": ["0001_initial"],
}
"""Migrations of allauth that ours were compared with. A new name: look what it does, then follow."""


@pytest.mark.parametrize("app", SHIPPED)
def test_allauth_ships_no_migration_that_ours_do_not_know(app: str) -> None:
    folder = Path(allauth.__file__).parent / app / "migrations"
    assert sorted(path.stem for path in folder.glob("0*.py")) == SHIPPED[app]


def test_the_line_of_allauth_is_the_one_that_was_tested() -> None:
    assert importlib.metadata.version("django-allauth").split(".")[0] == "65"


def test_models_and_migrations_agree() -> None:
    call_command(
        "makemigrations", "--check", "--dry-run", "account", "mfa", "usersessions", "accounts", verbosity=0
    )


def test_the_address_field_is_ours_and_the_user_has_none() -> None:
    assert type(EmailAddress._meta.get_field("email")) is BoundEmailField
    assert not any("mail" in field.name for field in User._meta.get_fields() if field.concrete)


def _column(table: str, column: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table}")
        return str(cursor.fetchone()[0])


def test_secrets_of_second_factors_are_sealed() -> None:
    user = User.objects.create_user()
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    raw = _column("mfa_authenticator", "data")
    assert raw.startswith("s1.")
    assert secret not in raw
    row = Authenticator.objects.get()
    assert secret in json.dumps(row.data)
    row.record_usage()
    assert Authenticator.objects.get().wrap().instance == row
    sealed.destroy(user.pk)
    assert Authenticator.objects.get().data == {}


def test_session_rows_show_neither_address_nor_browser_nor_key() -> None:
    user = User.objects.create_user()
    facts = {"ip": "203.0.113.77", "user_agent": "Canary/1.0", "session_key": "k" * 32}
    row = UserSession.objects.create(user=user, **facts)
    for column, value in facts.items():
        assert value not in _column("usersessions_usersession", column)
    assert UserSession.objects.get(session_key="k" * 32) == row
    assert UserSession.objects.get().ip == "203.0.113.77"


@pytest.mark.parametrize("model", [EmailAddress, UserSession, Authenticator])
def test_text_forms_are_pseudonyms(model: type) -> None:
    user = User.objects.create_user()
    assert str(user) in str(model(user=user))
    assert "canary" not in str(EmailAddress(user=user, email="canary@example.org"))
    assert str(EmailConfirmation(pk=3)) == "confirmation of row 3"
