"""Bound columns: found by an exact value, unreadable and unwritable to SQL."""

import pytest
from allauth.account.models import EmailAddress
from django.core.exceptions import FieldError
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Value
from django.db.models.functions import Concat, Lower

from tollkeeper.accounts.models import User
from tollkeeper.kit import bound, sealed

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)


def _add(email: str, **facts: bool) -> EmailAddress:
    return EmailAddress.objects.create(user=User.objects.create_user(), email=email, **facts)


def _raw() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT email FROM account_emailaddress ORDER BY id")
        return [row[0] for row in cursor.fetchall()]


def test_found_in_any_letter_case_and_by_lists() -> None:
    one, _ = _add("Ada@Example.org"), _add("bob@example.org")
    for lookup in ("email", "email__iexact"):
        assert EmailAddress.objects.get(**{lookup: "aDA@example.ORG"}) == one
    assert EmailAddress.objects.filter(email__in=["ada@example.org", "nobody@example.org"]).count() == 1
    assert EmailAddress.objects.filter(email__in=[]).count() == 0
    assert EmailAddress.objects.filter(email="").count() == 0
    assert EmailAddress.objects.exclude(email="ada@example.org").count() == 1
    assert EmailAddress.objects.filter(email__isnull=False).count() == 2
    assert one.email == "Ada@Example.org"
    assert EmailAddress.objects.get(pk=one.pk).email == "ada@example.org"
    assert all(raw.startswith("bX.") and "example" not in raw.lower() for raw in _raw())


@pytest.mark.parametrize("lookup", ["contains", "startswith", "regex", "lt", "gt", "range", "lower"])
def test_other_lookups_are_refused(lookup: str) -> None:
    with pytest.raises(FieldError):
        list(EmailAddress.objects.filter(**{f"email__{lookup}": "a"}))


def test_comparing_with_sql_is_refused() -> None:
    with pytest.raises(FieldError):
        list(EmailAddress.objects.filter(email=F("user__password")))
    with pytest.raises(FieldError):
        list(EmailAddress.objects.filter(email__in=User.objects.values("password")))


def test_one_verified_address_belongs_to_one_person_only() -> None:
    _add("ada@example.org", verified=True)
    _add("ada@example.org", verified=False)
    with pytest.raises(IntegrityError), transaction.atomic():
        _add("ADA@example.org", verified=True)


def test_a_person_has_an_address_once() -> None:
    row = _add("ada@example.org")
    with pytest.raises(IntegrityError), transaction.atomic():
        EmailAddress.objects.create(user=row.user, email="ADA@example.org")


def test_the_unique_index_serves_the_lookup() -> None:
    _add("ada@example.org", verified=True)
    sql, params = EmailAddress.objects.filter(email="ada@example.org", verified=True).query.sql_with_params()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with transaction.atomic():
                cursor.execute("SET LOCAL enable_seqscan = off")
                cursor.execute(f"EXPLAIN {sql}", params)
                plan = str(cursor.fetchall())
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}", params)
            plan = str(cursor.fetchall())
    assert "account_email" in plan


def test_updates_are_refused_by_django_and_by_the_database() -> None:
    row = _add("ada@example.org")
    for value in ("x@example.org", Lower("email"), Concat(F("email"), Value("x"))):
        with pytest.raises(FieldError):
            EmailAddress.objects.update(email=value)
    for function in ("lower", "upper"):
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE account_emailaddress SET email = {function}(email)")
    row.refresh_from_db()
    assert row.email == "ada@example.org"


def test_a_value_moved_to_another_person_does_not_open() -> None:
    one, two = _add("ada@example.org"), _add("bob@example.org")
    first, second = _raw()
    head, tail = second.split(".")[:3], first.split(".")[3]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE account_emailaddress SET email = %s WHERE id = %s", [".".join([*head, tail]), two.pk]
        )
    with pytest.raises(sealed.Damaged):
        EmailAddress.objects.get(pk=two.pk)
    assert EmailAddress.objects.get(pk=one.pk).email == "ada@example.org"


def test_after_destruction_it_reads_as_erased() -> None:
    row = _add("ada@example.org")
    sealed.destroy(row.user_id)
    read = EmailAddress.objects.get(pk=row.pk)
    assert read.email == f"erased-{row.user_id.hex[:12]}@erased.invalid"
    read.save()
    assert EmailAddress.objects.get(pk=row.pk).email == read.email


def test_a_new_index_key_finds_old_and_new_rows(settings: object) -> None:
    old = settings.SEALING_INDEXES[0]  # type: ignore[attr-defined]
    row = _add("ada@example.org")
    settings.SEALING_INDEXES = [b"i" * 32, old]  # type: ignore[attr-defined]
    _add("bob@example.org")
    assert EmailAddress.objects.filter(email__in=["ada@example.org", "bob@example.org"]).count() == 2
    row.refresh_from_db()
    row.save()
    settings.SEALING_INDEXES = [b"i" * 32]  # type: ignore[attr-defined]
    assert EmailAddress.objects.filter(email="ada@example.org").count() == 1


def test_too_long_a_value_is_refused_before_it_is_sealed() -> None:
    with pytest.raises(FieldError, match="254"):
        _add("a" * 250 + "@example.org")


def test_one_form_of_an_address() -> None:
    assert bound.normalise_email("  Zoë@EXAMPLE.org ") == bound.normalise_email("zoe\u0308@example.org")
