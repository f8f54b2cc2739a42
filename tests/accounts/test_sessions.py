"""Sessions: readable only with the cookie."""

import pytest
from django.contrib.sessions.models import Session
from django.db import connection

from tollkeeper.accounts.sessions import SessionStore, row_key

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)


def _made(**data: object) -> SessionStore:
    store = SessionStore()
    store.update(data)
    store.save()
    return store


def test_what_is_stored_comes_back_to_the_holder_of_the_key() -> None:
    store = _made(word="canary")
    assert SessionStore(store.session_key)["word"] == "canary"
    assert store.exists(store.session_key)


def test_the_table_holds_neither_the_key_nor_the_words() -> None:
    store = _made(word="canary")
    with connection.cursor() as cursor:
        cursor.execute("SELECT session_key, session_data FROM django_session")
        raw = str(cursor.fetchone())
    assert store.session_key not in raw
    assert "canary" not in raw


def test_a_row_cannot_be_opened_by_what_the_table_knows() -> None:
    store = _made(word="canary")
    stolen = SessionStore(Session.objects.get().session_key)
    assert stolen.load() == {}
    assert dict(SessionStore(store.session_key).items()) == {"word": "canary"}


def test_a_payload_moved_to_another_session_is_empty() -> None:
    one, two = _made(word="canary"), _made(word="other")
    data = Session.objects.get(pk=row_key(one.session_key)).session_data
    Session.objects.filter(pk=row_key(two.session_key)).update(session_data=data)
    assert dict(SessionStore(two.session_key).items()) == {}


@pytest.mark.parametrize("garbage", ["", "x", "t1.a.b", "t1.00000000.AAAA", ".eJx:sig"])
def test_garbage_is_an_empty_session(garbage: str) -> None:
    store = _made(word="canary")
    Session.objects.update(session_data=garbage)
    assert SessionStore(store.session_key).load() == {}


def test_unknown_keys_are_forgotten_as_django_does() -> None:
    store = SessionStore("a" * 32)
    assert store.load() == {}
    assert store.session_key is None


def test_cycling_flushing_and_deleting() -> None:
    store = _made(word="canary")
    before = store.session_key
    store.cycle_key()
    assert store.session_key != before
    assert not store.exists(before)
    assert SessionStore(store.session_key)["word"] == "canary"
    store.delete(store.session_key)
    assert Session.objects.count() == 0
    store = _made(word="x")
    store.flush()
    assert Session.objects.count() == 0


def test_a_new_wrapping_key_keeps_people_signed_in(settings: object) -> None:
    store = _made(word="canary")
    settings.SEALING_KEKS = [b"k" * 32, *settings.SEALING_KEKS]  # type: ignore[attr-defined]
    again = SessionStore(store.session_key)
    assert again["word"] == "canary"
    again["more"] = 1
    again.save()
    settings.SEALING_KEKS = settings.SEALING_KEKS[:1]  # type: ignore[attr-defined]
    assert SessionStore(store.session_key)["more"] == 1
