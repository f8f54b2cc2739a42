"""Sealed values open for declared purposes only."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from allauth.account.models import EmailAddress
from django.db import connection

from tollkeeper.accounts import services
from tollkeeper.accounts.models import User
from tollkeeper.kit import purposes
from tollkeeper.kit.purposes import OWN, Closed, PurposeMiddleware, UndeclaredRead, serving

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])


@pytest.fixture(autouse=True)
def _open() -> Iterator[None]:
    yield
    purposes.guard_process(False)


@pytest.fixture
def person() -> User:
    made = services.create_person("ada@example.org", None)
    services.set_nickname(made.pk, "Ada")
    return made


@pytest.mark.parametrize("purpose", ["auth", OWN])
def test_a_declared_purpose_opens(person: User, purpose: str) -> None:
    with serving(purpose):
        assert User.objects.get().nickname == "Ada"


@pytest.mark.parametrize("purpose", ["security", "delivery", "legal"])
def test_another_purpose_does_not(person: User, purpose: str) -> None:
    with serving(purpose):
        row = User.objects.get()
        address = EmailAddress.objects.get()
    assert isinstance(row.nickname, Closed)
    assert repr(row.nickname) == "<closed accounts.user.nickname>"
    for look in (str, len, bool, list, lambda value: value == "Ada", lambda value: f"{value}"):
        with pytest.raises(UndeclaredRead, match=purpose):
            look(row.nickname)
    with pytest.raises(UndeclaredRead):
        address.email.lower()


def test_what_was_not_opened_can_be_saved_back(person: User) -> None:
    with serving("delivery"):
        row = User.objects.get()
        address = EmailAddress.objects.get()
    row.save()
    address.save()
    assert User.objects.get().nickname == "Ada"
    assert EmailAddress.objects.get().email == "ada@example.org"


def test_looking_up_needs_no_opening(person: User) -> None:
    with serving("security"):
        assert EmailAddress.objects.filter(email="ada@example.org").exists()


def test_a_guarded_process_reads_nothing_undeclared(person: User) -> None:
    assert User.objects.get().nickname == "Ada"
    purposes.guard_process()
    with pytest.raises(UndeclaredRead, match="without a declared purpose"):
        str(User.objects.get().nickname)


def test_pages_serve_their_reader_and_the_desk_what_it_is_for(person: User) -> None:
    seen = {}

    def page(request: SimpleNamespace) -> None:
        seen[request.path] = purposes.served()

    middleware = PurposeMiddleware(page)
    middleware(SimpleNamespace(path="/console/"))
    middleware(SimpleNamespace(path="/desk/orders/"))
    assert seen["/console/"] == frozenset({OWN})
    assert "support" in seen["/desk/orders/"]
    assert OWN not in seen["/desk/orders/"]
    assert purposes.served() is None


def test_inner_declarations_replace_outer_ones(person: User) -> None:
    with serving(OWN):
        with serving("delivery"):
            assert isinstance(User.objects.get().nickname, Closed)
        assert User.objects.get().nickname == "Ada"


def test_the_table_still_holds_tokens_only(person: User) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nickname FROM accounts_user")
        assert str(cursor.fetchone()[0]).startswith("s1.")
