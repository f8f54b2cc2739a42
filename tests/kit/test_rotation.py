"""Keys are rotated while people sign in; a rotation that is killed anywhere goes on."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import connection, transaction

from tollkeeper.accounts import services as accounts
from tollkeeper.kit import backups, log_keys, rotation, sealed
from tollkeeper.kit.keystore import ring, vault
from tollkeeper.kit.keystore.models import SubjectKey
from tollkeeper.kit.trail.models import Entry

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)
PEOPLE = [f"person{number}@example.org" for number in range(7)]


class Killed(BaseException):
    """As `kill -9`: nothing may catch it."""


@pytest.fixture(autouse=True)
def own_secrets(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Secrets in a folder of this test, and a ring that sees every change at once."""
    folder = tmp_path / "secrets"
    shutil.copytree(Path(settings.ENV.home) / "secrets", folder)
    keks, indexes, stamp = settings.SEALING_KEKS, settings.SEALING_INDEXES, settings.SEALING_STAMP
    settings.ENV = replace(settings.ENV, home=tmp_path)
    monkeypatch.setattr(rotation, "BATCH", 3)
    monkeypatch.setattr(ring, "RECHECK_S", -1.0)
    yield folder
    settings.SEALING_KEKS, settings.SEALING_INDEXES, settings.SEALING_STAMP = keks, indexes, stamp
    vault.forget_keys()


@pytest.fixture
def people() -> list[uuid.UUID]:
    return [accounts.create_person(address, None).pk for address in PEOPLE]


def found() -> list[str]:
    return [address for address in PEOPLE if EmailAddress.objects.filter(email=address).exists()]


def marks() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT email FROM account_emailaddress")
        return {row[0][:27] for row in cursor.fetchall()}


def whole(name: str) -> bool:
    """All steps, as the command makes them; whether the old key is gone."""
    rotation.begin(name)
    rotation.use(name)
    rotation.rewrite(name)
    return rotation.finish(name)


def test_a_new_index_key_takes_every_mark_along(people: list[uuid.UUID], own_secrets: Path) -> None:
    before, old = marks(), (own_secrets / "index").read_bytes()
    assert whole("index")
    assert found() == PEOPLE
    assert not marks() & before
    assert sorted(path.name for path in own_secrets.glob("index*")) == ["index"]
    assert (own_secrets / "index").read_bytes() != old
    assert Entry.objects.filter(verb="key.rotated", object="secret:index").count() == 1
    assert rotation.rewrite("index") == rotation.Rewritten()
    assert not rotation.finish("index"), "there is nothing to finish"


def test_between_the_steps_everything_is_found_and_new_rows_too(people: list[uuid.UUID]) -> None:
    for step in (rotation.begin, rotation.use, rotation.rewrite, rotation.finish):
        step("index")
        assert found() == PEOPLE
        newcomer = f"{step.__name__}@example.org"
        accounts.create_person(newcomer, None)
        assert EmailAddress.objects.filter(email=newcomer).count() == 1
    assert rotation.state("index").step == "rest"
    assert EmailAddress.objects.filter(email="begin@example.org").exists(), "written under the old key"


@pytest.mark.parametrize("name", rotation.NAMES)
@pytest.mark.parametrize("deadly", range(14))
def test_a_rotation_that_is_killed_goes_on(
    people: list[uuid.UUID], own_secrets: Path, monkeypatch: pytest.MonkeyPatch, name: str, deadly: int
) -> None:
    log_keys.make_ahead(log_keys._EPOCH, 2)
    steps = iter(range(1_000))

    def guard(owner: Any, verb: str) -> None:
        real = getattr(owner, verb)

        def dies(*given: Any, **named: Any) -> Any:
            if next(steps) == deadly:
                raise Killed
            return real(*given, **named)

        monkeypatch.setattr(owner, verb, dies)

    for verb in ("replace", "unlink", "write_bytes"):
        guard(Path, verb)
    guard(transaction.Atomic, "__enter__")
    guard(os, "fsync")
    try:
        whole(name)
        died = False
    except Killed:
        died = True
    monkeypatch.undo()
    monkeypatch.setattr(rotation, "BATCH", 3)
    monkeypatch.setattr(ring, "RECHECK_S", -1.0)
    vault.forget_keys()
    assert found() == PEOPLE, "nobody is lost in between"
    if rotation.state(name).step != "rest" or died:
        whole(name)
    assert rotation.state(name).step == "rest"
    assert sorted(path.name for path in own_secrets.glob(f"{name}*")) == [name]
    vault.forget_keys()
    assert found() == PEOPLE
    assert sorted(EmailAddress.objects.values_list("email", flat=True)) == PEOPLE
    assert set(SubjectKey.objects.values_list("kek_id", flat=True)) == {ring.key_id(ring.current().keks[0])}


def test_marks_of_erased_people_are_emptied_and_tell_nothing(people: list[uuid.UUID]) -> None:
    sealed.destroy(people[0])
    rotation.begin("index")
    rotation.use("index")
    assert rotation.rewrite("index") == rotation.Rewritten(changed=6, blinded=1)
    assert rotation.finish("index")
    assert found() == PEOPLE[1:]
    assert len(marks()) == 7


def test_a_damaged_value_keeps_the_old_key(people: list[uuid.UUID]) -> None:
    rotation.begin("index")
    rotation.use("index")
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE account_emailaddress SET email = 'bX.damaged.x.y' WHERE id ="
            " (SELECT min(id) FROM account_emailaddress)"
        )
    assert rotation.rewrite("index").failed == 1
    assert not rotation.finish("index")
    assert rotation.state("index").step == "used"


def test_the_old_wrapping_key_waits_for_copies_of_the_keystore(
    people: list[uuid.UUID], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "key_folder", lambda: tmp_path / "copies")
    (tmp_path / "copies").mkdir()
    copy = tmp_path / "copies" / "20260101T000000Z.sqlite3"
    copy.touch()
    os.utime(copy, (1, 1))
    assert not whole("kek")
    assert rotation.needed_until("kek") is not None
    copy.unlink()
    assert rotation.finish("kek")
    assert found() == PEOPLE
