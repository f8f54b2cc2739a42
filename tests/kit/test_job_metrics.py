"""Monitoring sees the depth of the queue, its age and its dead, by kind."""

from __future__ import annotations

import datetime as dt
import urllib.error
import urllib.request

import pytest
from django.db import OperationalError
from django.utils import timezone

from tollkeeper.kit import job_metrics
from tollkeeper.kit.models import Job, Schedule

NOW = timezone.now


def make(kind: str, state: str, ago_s: float, number: int = 0) -> None:
    at = NOW() - dt.timedelta(seconds=ago_s)
    Job.objects.create(
        kind=kind,
        key=f"{kind}:{state}:{ago_s}:{number}",
        purpose="order",
        state=state,
        run_at=at,
        created_at=at,
    )


def gauges(text: str) -> dict[str, float]:
    rows = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (row.rpartition(" ") for row in rows)}


@pytest.mark.django_db
def test_each_kind_is_counted_by_what_it_waits_for() -> None:
    for number in range(3):
        make("fulfil_line", "ready", 90, number)
    make("fulfil_line", "ready", -60)
    make("fulfil_line", "running", 5)
    make("mail_receipt", "dead", 500)
    make("mail_receipt", "done", 900)
    make("mail_receipt", "cancelled", 900)
    Schedule.objects.create(
        kind="sweep_payments", every_us=60_000_000, next_at=NOW() - dt.timedelta(seconds=30)
    )
    Schedule.objects.create(kind="purge_inbox", every_us=60_000_000, next_at=NOW() + dt.timedelta(hours=1))
    seen = gauges(job_metrics.text())
    assert seen['tollkeeper_jobs_due{kind="fulfil_line"}'] == 3
    assert seen['tollkeeper_jobs_waiting{kind="fulfil_line"}'] == 1
    assert seen['tollkeeper_jobs_running{kind="fulfil_line"}'] == 1
    assert seen['tollkeeper_jobs_dead{kind="fulfil_line"}'] == 0
    assert seen['tollkeeper_jobs_dead{kind="mail_receipt"}'] == 1
    assert seen['tollkeeper_jobs_due{kind="mail_receipt"}'] == 0
    assert seen["tollkeeper_job_oldest_due_seconds"] == pytest.approx(90, abs=20)
    assert seen['tollkeeper_schedule_late_seconds{kind="sweep_payments"}'] == pytest.approx(30, abs=20)
    assert seen['tollkeeper_schedule_late_seconds{kind="purge_inbox"}'] == 0


@pytest.mark.django_db
def test_an_empty_book_has_nothing_due() -> None:
    assert gauges(job_metrics.text())["tollkeeper_job_oldest_due_seconds"] == 0


@pytest.mark.django_db(transaction=True)
def test_they_are_told_on_a_port_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    make("fulfil_line", "dead", 5)
    with job_metrics.serving(0) as port:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            assert answer.headers["Content-Type"] == job_metrics.KIND
            assert 'tollkeeper_jobs_dead{kind="fulfil_line"} 1' in answer.read().decode()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=10) as answer:
            assert answer.read() == b"ok\n"

        def gone() -> str:
            raise OperationalError("gone")

        monkeypatch.setattr(job_metrics, "text", gone)
        for path, status in (("metrics", 503), ("desk", 404)):
            with pytest.raises(urllib.error.HTTPError) as no:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=10)
            assert no.value.code == status
            no.value.close()
