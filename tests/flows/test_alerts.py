"""Letters about units reach the customer once."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
from pathlib import Path

import pytest
import time_machine
from django.conf import settings
from django.utils import timezone

from tests.services.gates import UNIT, Gate
from tests.services.lines import customer
from tollkeeper.core.terms import MICRO
from tollkeeper.flows import alerts
from tollkeeper.kit import job_runner
from tollkeeper.kit.fields import to_micros
from tollkeeper.usage import services

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _mails(tmp_path: Path, settings: object) -> None:
    settings.MAIL_FOLDER = tmp_path  # type: ignore[attr-defined]
    settings.EMAIL_BACKEND = "tollkeeper.kit.mail.FileBackend"  # type: ignore[attr-defined]


def letters() -> list[str]:
    while (context := job_runner.claim(["mail_alert", "tell_endings"])) is not None:
        assert job_runner.run(context) == "done"
    files = sorted(Path(settings.MAIL_FOLDER).glob("*.eml"))
    read = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in files]
    return [f"{m['Subject']}|{m.get_body(('plain',)).get_content()}" for m in read]  # type: ignore[union-attr]


def spend(buyer: int, units: int) -> None:
    gate, now = Gate(), to_micros(timezone.now())
    drawn = gate.draw(buyer, units, units, now)
    records = [*gate.call(buyer, drawn.lease_id, units, now), gate.close(drawn.lease_id, buyer, now)]
    services.take_in("gate-1", "1", 0, records, 1)


def test_a_level_is_written_about_once() -> None:
    buyer = customer()
    services.issue_grant(key="a", customer_id=buyer, unit=UNIT, amount=100 * MICRO, source="test")
    spend(buyer, 85 * MICRO)
    assert alerts.tell({(buyer, UNIT)}) == 1
    assert alerts.tell({(buyer, UNIT)}) == 0
    [letter] = letters()
    assert letter.startswith("80 % of your calls are used|")
    assert "15 of 100 calls are left" in letter


def test_all_used_says_what_happens_next() -> None:
    buyer = customer()
    services.issue_grant(key="a", customer_id=buyer, unit=UNIT, amount=100 * MICRO, source="test")
    spend(buyer, 100 * MICRO)
    alerts.tell({(buyer, UNIT)})
    [letter] = letters()
    assert "used up" in letter
    assert "/plans/" in letter


def test_units_that_end_soon_are_written_about() -> None:
    buyer, now = customer(), timezone.now()
    ends = now + dt.timedelta(days=30)
    services.issue_grant(
        key="a", customer_id=buyer, unit=UNIT, amount=100 * MICRO, source="test", expires_at=ends
    )
    with time_machine.travel(ends - dt.timedelta(days=2)):
        job_runner.step_schedules()
        job_runner.step_schedules()
        [letter] = letters()
    assert "end soon" in letter


def test_nobody_is_written_to_who_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    buyer = customer()
    services.issue_grant(key="a", customer_id=buyer, unit=UNIT, amount=100 * MICRO, source="test")
    spend(buyer, 60 * MICRO)
    alerts.tell({(buyer, UNIT)})
    monkeypatch.setattr(alerts.accounts, "email_for", lambda customer_id: None)
    assert letters() == []
