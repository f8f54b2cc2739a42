"""Whole room: what lies in a backup is found although the backup is sealed."""

from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from tollkeeper.drills._dumps import scan_backups
from tollkeeper.kit import backups
from tollkeeper.kit.models import Schedule
from tollkeeper.privacy.canary import Scanner

pytestmark = [
    pytest.mark.django_db(databases=["default", "keystore"], transaction=True),
    pytest.mark.skipif(
        "postgres" in str(settings.DATABASES["default"]["ENGINE"]), reason="of the SQLite book"
    ),
]


def test_a_needle_in_a_sealed_backup_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOLLKEEPER_BACKUPS", str(tmp_path / "backups"))
    monkeypatch.setenv("TOLLKEEPER_KEY_BACKUPS", str(tmp_path / "keys"))
    Schedule.objects.create(kind="needle-in-the-book-81723", every_us=1, next_at=timezone.now())
    made = backups.make(timezone.now())
    scanner = Scanner(["needle-in-the-book-81723"])
    assert list(scanner.scan_folder(tmp_path / "backups")) == [], "sealed: nothing shows"
    assert {hit.place for hit in scan_backups(scanner)} == {str(made.path)}
    assert list(scan_backups(Scanner(["somebody else entirely 99"]))) == []
