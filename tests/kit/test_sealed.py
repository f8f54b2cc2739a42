"""Sealed values: bound to subject and column, refused by SQL, gone with the key."""

import uuid

import pytest
from django.core.exceptions import FieldError
from django.db import connection
from django.db.models import F, Value
from django.db.models.functions import Concat
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.accounts.models import User
from tollkeeper.kit import sealed

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)


def _raw(user: User) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nickname FROM accounts_user")
        return str(cursor.fetchone()[0])


@pytest.fixture
def person() -> User:
    return User.objects.create_user(nickname="Zaphod")


@given(value=st.text(max_size=200))
def test_what_is_sealed_opens_again(value: str) -> None:
    subject = uuid.UUID(int=1)
    assert sealed.open_sealed(subject, sealed.seal(subject, value, "a.b"), "a.b") == value


def test_a_token_opens_only_for_its_subject_and_column() -> None:
    one, other = uuid.uuid4(), uuid.uuid4()
    token = sealed.seal(one, "text", "table.column")
    sealed.seal(other, "x", "table.column")
    with pytest.raises(sealed.Damaged):
        sealed.open_sealed(one, token, "table.other")
    with pytest.raises(sealed.Damaged):
        sealed.open_sealed(other, token, "table.column")
    moved = token.replace(one.hex, other.hex)
    with pytest.raises(sealed.Damaged):
        sealed.open_sealed(other, moved, "table.column")
    for broken in (token[:-2], token + "A", "s1.zz.AA", "", "s2" + token[2:]):
        with pytest.raises(sealed.Damaged):
            sealed.open_sealed(one, broken, "table.column")


def test_the_same_value_never_looks_the_same() -> None:
    subject = uuid.uuid4()
    assert sealed.seal(subject, "x", "a.b") != sealed.seal(subject, "x", "a.b")


def test_a_column_is_clear_in_python_and_sealed_in_the_table(person: User) -> None:
    assert _raw(person).startswith(f"s1.{person.pk.hex}.")
    assert "aphod" not in _raw(person)
    assert User.objects.get().nickname == "Zaphod"
    assert User.objects.filter(nickname__isnull=False).count() == 1
    assert User.objects.values_list("nickname", flat=True).get() == "Zaphod"


def test_after_destruction_a_row_reads_as_erased_and_can_still_be_saved(person: User) -> None:
    before = _raw(person)
    sealed.destroy(person.pk)
    read = User.objects.get()
    assert isinstance(read.nickname, sealed.ErasedText)
    assert "Zaphod" not in read.nickname
    read.language = "zh-hans"
    read.save()
    assert _raw(person) == before
    read.nickname = "new"
    with pytest.raises(sealed.Erased):
        read.save()


def test_sql_cannot_write_a_sealed_column(person: User) -> None:
    with pytest.raises(FieldError):
        User.objects.update(nickname="clear")
    with pytest.raises(FieldError):
        User.objects.update(nickname=Concat(F("nickname"), Value("x")))
    person.nickname = "b"
    with pytest.raises(FieldError):
        User.objects.bulk_update([person], ["nickname"])
    assert User.objects.get().nickname == "Zaphod"


@pytest.mark.parametrize("lookup", ["nickname", "nickname__icontains", "nickname__in", "nickname__lower"])
def test_a_sealed_column_cannot_be_searched(person: User, lookup: str) -> None:
    with pytest.raises(FieldError):
        list(User.objects.filter(**{lookup: ["Zaphod"]}))


def test_many_rows_are_written_sealed_too() -> None:
    people = [User(nickname=f"nick-{number}", password="!") for number in range(3)]
    User.objects.bulk_create(people)
    assert sorted(user.nickname for user in User.objects.all()) == ["nick-0", "nick-1", "nick-2"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT nickname FROM accounts_user")
        assert all("nick-" not in row[0] for row in cursor.fetchall())
