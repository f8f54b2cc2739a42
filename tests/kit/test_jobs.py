"""Jobs: once per key, journaled steps, leases with fencing, back-off, dead letters, schedules."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from tests.kit import job_handlers as handlers
from tollkeeper.kit import job_runner, queries, services
from tollkeeper.kit.job_context import LeaseLost
from tollkeeper.kit.jobs import enqueue, job
from tollkeeper.kit.models import Job, Schedule, Step

MINE = ["t_steps", "t_quick", "t_broken", "t_hopeless", "t_patient", "t_killer", "t_tick"]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB_TEST_FOLDER", str(tmp_path))
    handlers.buried.clear()


def work() -> str | None:
    """Claim and run one job; its end, or None if there is none."""
    context = job_runner.claim(MINE)
    return None if context is None else job_runner.run(context)


def until(wanted: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not wanted():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.03)


@pytest.mark.django_db
def test_a_key_is_enqueued_once_and_only_with_its_transaction() -> None:
    assert enqueue("t_quick", "k", number=1) == enqueue("t_quick", "k", number=2)

    def half_done() -> None:
        enqueue("t_quick", "lost", number=3)
        raise RuntimeError

    with pytest.raises(RuntimeError), transaction.atomic():
        half_done()
    assert list(Job.objects.values_list("key", "payload")) == [("k", {"number": 1})]


@pytest.mark.django_db
@pytest.mark.parametrize("value", ["Ada Lovelace", "ada@example.org", "x" * 121, 1.5, {"a": 1}])
def test_a_payload_takes_identifiers_only(value: object) -> None:
    with pytest.raises(ValueError, match="identifier"):
        enqueue("t_quick", "k", number=value)  # type: ignore[arg-type]
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_a_kind_cannot_be_registered_twice() -> None:
    with pytest.raises(ValueError, match="twice"):
        job("t_quick", purpose="delivery")(lambda context: None)


@pytest.mark.django_db
def test_steps_that_were_done_are_not_done_again() -> None:
    enqueue("t_steps", "s", number=1)
    (handlers.folder() / "go").touch()
    assert work() == "done"
    Job.objects.filter(key="s").update(state="ready", run_at=timezone.now())
    assert work() in ("done",)
    work()
    assert [handlers.count(n) for n in ("first-1", "second-1")] == [1, 1]
    assert Job.objects.filter(key="follow-1").count() == 1
    assert queries.find_job("s").steps == ("first", "inside", "second")


@pytest.mark.django_db
def test_the_result_of_a_step_is_the_same_the_second_time() -> None:
    enqueue("t_quick", "r", number=1)
    context = job_runner.claim(MINE)
    assert context is not None
    first = context.step("pair", lambda: (1, {"a": (2, 3)}))
    again = job_runner.Context(Job.objects.get(key="r"), context.token)
    assert first == again.step("pair", lambda: None) == [1, {"a": [2, 3]}]
    with pytest.raises(TypeError):
        context.step("no json", object)
    assert not Step.objects.filter(name="no json").exists()


@pytest.mark.django_db
def test_a_step_in_the_book_and_its_journal_are_one_transaction() -> None:
    enqueue("t_quick", "a", number=1)
    context = job_runner.claim(MINE)
    assert context is not None

    def half_done() -> None:
        enqueue("t_quick", "half", number=2)
        raise KeyError("no")

    with pytest.raises(KeyError):
        context.step("half", half_done)
    assert not Job.objects.filter(key="half").exists()
    assert not Step.objects.exists()


@pytest.mark.django_db
def test_failures_back_off_and_end_as_a_dead_letter_without_personal_text() -> None:
    enqueue("t_broken", "b", number=1)
    ends = []
    while True:
        Job.objects.filter(key="b", state="ready").update(run_at=timezone.now())
        end = work()
        if end is None:
            break
        ends.append(end)
    assert ends == ["ready", "ready", "dead"]
    [dead] = queries.dead_jobs()
    assert (dead.error_class, dead.attempts) == ("ValueError", 3)
    assert "example" not in f"{dead}{Job.objects.get(key='b').__dict__}"
    assert services.retry_job(dead.id)
    assert work() == "ready"
    assert handlers.count("broken-1") == 4


@pytest.mark.django_db
def test_the_wait_doubles_up_to_the_cap() -> None:
    enqueue("t_hopeless", "w", number=1)
    kind = job_runner.KINDS["t_quick"]
    waits = []
    for attempt in (1, 2, 5, 11):
        Job.objects.filter(key="w").update(state="running", lease="x", attempts=attempt)
        context = job_runner.Context(Job.objects.get(key="w"), "x")
        job_runner._failed(context, kind, Job.objects.filter(key="w", lease="x"), ValueError())
        waits.append((Job.objects.get(key="w").run_at - timezone.now()).total_seconds())
    for wait, due in zip(waits, (1, 2, 16, 1024), strict=True):
        assert 0.75 * due < wait < 1.25 * due


@pytest.mark.django_db
def test_giving_up_tells_the_flow() -> None:
    enqueue("t_hopeless", "h", number=7)
    assert work() == "dead"
    assert handlers.buried == [7]
    assert queries.dead_jobs()[0].error_class == "no_such_thing"
    assert services.cancel_job(queries.dead_jobs()[0].id)
    assert queries.job_counts() == {"cancelled": 1}


@pytest.mark.django_db
def test_asking_to_be_tried_again_is_no_failure() -> None:
    enqueue("t_patient", "p", number=1)
    assert [work() for _ in range(6)] == ["ready"] * 5 + ["done"]


@pytest.mark.django_db
def test_a_job_that_killed_its_workers_is_dead() -> None:
    enqueue("t_killer", "k", number=1)
    for _ in range(2):
        assert job_runner.claim(MINE) is not None
        Job.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    assert job_runner.claim(MINE) is None
    assert queries.dead_jobs()[0].error_class == "WorkerLost"


@pytest.mark.django_db
def test_a_job_whose_worker_is_heard_of_is_not_taken() -> None:
    enqueue("t_quick", "q", number=1)
    assert job_runner.claim(MINE) is not None
    assert job_runner.claim(MINE) is None


@pytest.mark.django_db
def test_a_zombie_writes_nothing() -> None:
    enqueue("t_quick", "z", number=1)
    zombie = job_runner.claim(MINE)
    assert zombie is not None
    Job.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    heir = job_runner.claim(MINE)
    assert heir is not None
    with pytest.raises(LeaseLost):
        zombie.step("write", enqueue, "t_quick", "from the zombie")
    with pytest.raises(LeaseLost):
        zombie.call("effect", handlers.note, "zombie")
    assert job_runner.run(zombie) == "lost"
    assert not Step.objects.exists()
    assert not Job.objects.filter(key="from the zombie").exists()
    assert handlers.count("zombie") == handlers.count("quick-1") == 0
    assert job_runner.run(heir) == "done"


@pytest.mark.django_db
def test_a_schedule_is_enqueued_once_a_turn_and_missed_turns_are_not_made_up() -> None:
    now = timezone.now()
    for _ in range(2):
        job_runner.step_schedules()
    Schedule.objects.filter(pk="t_tick").update(next_at=now - dt.timedelta(hours=7.5), every_us=3_600_000_000)
    assert sum(job_runner.step_schedules() for _ in range(3)) >= 1
    ticks = Job.objects.filter(kind="t_tick")
    assert ticks.count() <= 2
    row = Schedule.objects.get(pk="t_tick")
    assert now < row.next_at <= now + dt.timedelta(hours=1, seconds=5)


@pytest.mark.django_db
def test_a_new_run_takes_the_place_of_one_that_was_given_up() -> None:
    for _ in range(2):
        job_runner.step_schedules()
    Job.objects.filter(kind="t_tick").update(state="dead")
    Schedule.objects.filter(pk="t_tick").update(next_at=timezone.now() - dt.timedelta(seconds=1))
    job_runner.step_schedules()
    assert sorted(Job.objects.filter(kind="t_tick").values_list("state", flat=True)) == ["cancelled", "ready"]


@pytest.mark.django_db
def test_finished_runs_of_schedules_are_forgotten_and_other_jobs_are_kept() -> None:
    old = timezone.now() - dt.timedelta(days=3)
    for kind in ("t_tick", "t_quick"):
        enqueue(kind, kind)
    Job.objects.update(state="done", finished_at=old)
    job_runner.prune()
    assert list(Job.objects.values_list("kind", flat=True)) == ["t_quick"]


def _worker(tmp_path: Path) -> subprocess.Popen[bytes]:
    """A real worker process on the test's book."""
    book = settings.DATABASES["default"]
    code = f"""
import os, sys
sys.path[:0] = {sys.path!r}
from django.conf import settings
settings.DATABASES["default"]["NAME"] = {str(connection.settings_dict["NAME"])!r}
import django; django.setup()
from tests.kit import job_handlers
job_handlers.main()
"""
    assert book is not None
    env = {**os.environ, "JOB_TEST_FOLDER": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen([sys.executable, "-c", code], env=env)


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_is_followed_by_another_that_goes_on_after_the_last_step(
    tmp_path: Path, crew: list[subprocess.Popen[bytes]]
) -> None:
    enqueue("t_steps", "crash", number=5)
    crew.append(_worker(tmp_path))
    until(lambda: handlers.count("between-5") == 1)
    crew[0].send_signal(signal.SIGKILL)
    crew[0].wait()
    (tmp_path / "go").touch()
    began = time.monotonic()
    crew.append(_worker(tmp_path))
    until(lambda: Job.objects.get(key="crash").state == "done")
    assert time.monotonic() - began < 12
    until(lambda: handlers.count("quick-5") == 1)
    assert [handlers.count(n) for n in ("first-5", "between-5", "second-5")] == [1, 2, 1]


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_slept_too_long_does_nothing_when_it_wakes(
    tmp_path: Path, crew: list[subprocess.Popen[bytes]]
) -> None:
    enqueue("t_steps", "sleepy", number=6)
    crew.append(_worker(tmp_path))
    until(lambda: handlers.count("between-6") == 1)
    crew[0].send_signal(signal.SIGSTOP)
    crew.append(_worker(tmp_path))
    until(lambda: handlers.count("between-6") == 2)
    crew[0].send_signal(signal.SIGCONT)
    time.sleep(0.5)
    (tmp_path / "go").touch()
    until(lambda: Job.objects.get(key="sleepy").state == "done")
    time.sleep(0.5)
    assert handlers.count("second-6") == 1
    assert Job.objects.get(key="sleepy").attempts == 2


@pytest.mark.django_db(transaction=True)
def test_a_worker_in_this_process_wakes_quickly_keeps_long_jobs_and_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for registered in (job_runner.KINDS, job_runner.SCHEDULES, job_runner.LOOPS):
        for name in [name for name in registered if not name.startswith("t_")]:
            monkeypatch.delitem(registered, name)
    stop = threading.Event()
    worker = threading.Thread(target=job_runner.run_worker, args=(stop,))
    worker.start()
    try:
        until(lambda: handlers.count("loop") > 0)
        began = time.monotonic()
        enqueue("t_quick", "wake", number=9)
        until(lambda: handlers.count("quick-9") == 1)
        assert time.monotonic() - began < 1.0
        (tmp_path / "loop-fails").touch()
        until(lambda: handlers.count("loop-failed") > 0)
    finally:
        stop.set()
        worker.join(10)
    assert not worker.is_alive()
