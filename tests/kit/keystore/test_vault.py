"""Subjects' keys: made once, wrapped, forgotten in time, destroyed for good."""

import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from django.db import connections, transaction

from tollkeeper.kit.keystore import ring, vault
from tollkeeper.kit.keystore.models import Generation, SubjectKey

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)


@pytest.fixture(autouse=True)
def _cold() -> None:
    vault.forget_keys()


def test_a_key_is_made_once_and_kept_wrapped() -> None:
    subject = uuid.uuid4()
    first = vault.ensure_cipher(subject)
    sealed = first.encrypt(b"n" * 12, b"text", b"")
    vault.forget_keys()
    assert vault.get_cipher(subject).decrypt(b"n" * 12, sealed, b"") == b"text"
    assert SubjectKey.objects.count() == 1
    assert len(bytes(SubjectKey.objects.get().wrapped)) == 40  # RFC 3394: eight bytes more than the key


def test_a_subject_without_a_key_reads_as_erased() -> None:
    with pytest.raises(vault.Erased):
        vault.get_cipher(uuid.uuid4())


def test_a_key_survives_the_rollback_of_what_it_sealed() -> None:
    subject = uuid.uuid4()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        vault.ensure_cipher(subject)
        raise ZeroDivisionError
    vault.forget_keys()
    vault.get_cipher(subject)


def test_a_key_that_is_rolled_back_is_not_remembered() -> None:
    subject = uuid.uuid4()
    with pytest.raises(ZeroDivisionError), transaction.atomic(using="keystore"):
        vault.ensure_cipher(subject)
        raise ZeroDivisionError
    with pytest.raises(vault.Erased):
        vault.get_cipher(subject)


def test_destruction_is_final_and_leaves_a_tombstone() -> None:
    subject, other = uuid.uuid4(), uuid.uuid4()
    vault.ensure_cipher(subject)
    vault.ensure_cipher(other)
    assert vault.destroy(subject) is True
    assert vault.destroy(subject) is False
    for ask in (vault.get_cipher, vault.ensure_cipher):
        with pytest.raises(vault.Erased):
            ask(subject)
    row = SubjectKey.objects.get(pk=subject)
    assert row.wrapped is None
    assert row.destroyed_at is not None
    assert vault.destroyed([subject, other]) == {subject}
    vault.get_cipher(other)


def test_a_subject_that_never_had_a_key_can_be_destroyed() -> None:
    subject = uuid.uuid4()
    assert vault.destroy(subject) is True
    with pytest.raises(vault.Erased):
        vault.ensure_cipher(subject)


def test_a_process_that_cached_a_key_forgets_it_at_its_next_request() -> None:
    subject = uuid.uuid4()
    vault.ensure_cipher(subject)
    vault.get_cipher(subject)
    # another process destroys it: this cache knows nothing of it
    SubjectKey.objects.filter(pk=subject).update(wrapped=None)
    Generation.objects.update_or_create(pk=1, defaults={"value": 7})
    assert subject in vault._cache
    vault.recheck()
    with pytest.raises(vault.Erased):
        vault.get_cipher(subject)


def test_a_key_destroyed_by_another_process_is_forgotten_within_a_second(tmp_path: Path) -> None:
    subject = uuid.uuid4()
    vault.ensure_cipher(subject)
    name = connections["keystore"].settings_dict["NAME"]
    program = f"""
import django, uuid
from django.conf import settings
from tollkeeper.config import settings as ours
ours.DATABASES["keystore"]["NAME"] = {str(name)!r}
django.setup()
from tollkeeper.kit.keystore import vault
vault.destroy(uuid.UUID({subject.hex!r}))
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    vault._seen["checked"] -= vault.RECHECK_S
    with pytest.raises(vault.Erased):
        vault.get_cipher(subject)


def test_many_keys_come_with_one_query(django_assert_num_queries: object) -> None:
    subjects = [uuid.uuid4() for _ in range(40)]
    for subject in subjects:
        vault.ensure_cipher(subject)
    vault.forget_keys()
    vault.recheck()
    with django_assert_num_queries(2, using="keystore"):  # type: ignore[operator]
        vault.preload(subjects)
        for subject in subjects:
            vault.get_cipher(subject)


def test_the_wrapping_key_can_be_changed(settings: object) -> None:
    subjects = [uuid.uuid4() for _ in range(5)]
    sealed = {s: vault.ensure_cipher(s).encrypt(b"n" * 12, s.bytes, b"") for s in subjects}
    vault.destroy(subjects[0])
    old = settings.SEALING_KEKS[0]  # type: ignore[attr-defined]
    settings.SEALING_KEKS = [b"k" * 32, old]  # type: ignore[attr-defined]
    assert vault.rewrap() == 4
    assert vault.rewrap() == 0
    settings.SEALING_KEKS = [b"k" * 32]  # type: ignore[attr-defined]
    vault.forget_keys()
    for subject in subjects[1:]:
        assert vault.get_cipher(subject).decrypt(b"n" * 12, sealed[subject], b"") == subject.bytes
    settings.SEALING_KEKS = [b"x" * 32]  # type: ignore[attr-defined]
    vault.forget_keys()
    with pytest.raises(LookupError, match=ring.key_id(b"k" * 32)):
        vault.get_cipher(subjects[1])


def test_a_destroyed_key_is_nowhere_in_the_file() -> None:
    subject = uuid.uuid4()
    vault.ensure_cipher(subject)
    wrapped = bytes(SubjectKey.objects.get(pk=subject).wrapped)
    path = Path(str(connections["keystore"].settings_dict["NAME"]))
    assert wrapped in path.read_bytes()
    vault.destroy(subject)
    for file in path.parent.glob(path.name + "*"):
        assert wrapped not in file.read_bytes(), file
