"""The worker: claims jobs by compare-and-swap, runs them, keeps their leases, steps the schedules.

The same SQL on SQLite and PostgreSQL: no row is skipped by lock, a claim is an
``UPDATE`` that names the lease it saw.
"""

from __future__ import annotations

import datetime as dt
import logging
import random
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, InterfaceError, close_old_connections, connections, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from tollkeeper.core import states
from tollkeeper.kit.fields import to_micros
from tollkeeper.kit.job_context import LEASE_S, Context, GiveUp, LeaseLost, Retry
from tollkeeper.kit.job_kinds import KINDS, LOOPS, SCHEDULES, Kind, Loop, schedule
from tollkeeper.kit.job_queue import enqueue, wake
from tollkeeper.kit.log_lines import Code
from tollkeeper.kit.models import Job, Schedule
from tollkeeper.kit.purposes import serving

POLL_S = 0.25
CANDIDATES = 8
"""Due jobs looked at for one claim; rivals then rarely want the same."""

log = logging.getLogger("tollkeeper.jobs")


def claim(kinds: list[str] | None = None) -> Context | None:
    """Take one due job, or one whose worker fell silent; None if there is none.

    A job that killed its workers as often as it may be tried is dead.
    """
    now = timezone.now()
    ours = Job.objects.filter(kind__in=kinds or list(KINDS)).order_by("run_at", "pk")
    # two reads in the order of the index: one with OR would sort the whole backlog for every claim
    ready = ours.filter(state="ready", run_at__lte=now)[:CANDIDATES]
    lost = ours.filter(state="running", lease_until__lt=now)[:CANDIDATES]
    found = sorted([*ready, *lost], key=lambda job: (job.run_at, job.pk))[:CANDIDATES]
    if found and found[0].state == "ready":
        random.shuffle(found)
    for job in found:
        token = uuid.uuid4().hex
        seen = Job.objects.filter(pk=job.pk, lease=job.lease, state=job.state, attempts=job.attempts)
        if job.attempts >= KINDS[job.kind].attempts:
            _bury(job, seen, "WorkerLost", "")
            continue
        if seen.update(
            state=states.step(states.JOB, job.state, "claim"),
            lease=token,
            lease_until=now + dt.timedelta(seconds=LEASE_S),
            attempts=F("attempts") + 1,
        ):
            job.attempts += 1
            job.lease = token
            return Context(job, token)
    return None


def run(context: Context, payload: dict[str, object] | None = None) -> str:
    """Run a claimed job to its end; answers the state it is left in, or ``lost``."""
    kind = KINDS[context.kind]
    mine = Job.objects.filter(pk=context.job_id, lease=context.token, state="running")
    if payload is None:
        payload = mine.values_list("payload", flat=True).first()
    if payload is None:
        return "lost"
    try:
        with serving(kind.purpose):
            kind.run(context, **payload)
    except LeaseLost:
        log.warning("job %s of kind %s was taken over", context.job_id, context.kind)
        return "lost"
    except Retry as wish:
        fields = {"attempts": F("attempts") - 1, "run_at": _in(wish.after_s)}
        return _leave(mine, "retry", error_class="", error_place="", **fields)
    except GiveUp as decision:
        return _bury_mine(mine, decision.code, _place(decision))
    except Exception as error:  # noqa: BLE001 - whatever a job raises, the worker lives on
        return _failed(context, kind, mine, error)
    return _leave(mine, "finish", error_class="", error_place="", finished_at=timezone.now())


def _failed(context: Context, kind: Kind, mine: QuerySet[Job], error: Exception) -> str:
    name, place = _name(error), _place(error)
    log.warning("job %s of kind %s failed: %s at %s", context.job_id, context.kind, name, place)
    if context.attempt >= kind.attempts:
        return _bury_mine(mine, name, place)
    wait = min(kind.cap_s, 2.0 ** (context.attempt - 1)) * random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries
    return _leave(mine, "retry", error_class=name, error_place=place, run_at=_in(wait))


def _leave(mine: QuerySet[Job], event: str, **fields: Any) -> str:
    state = states.step(states.JOB, "running", event)
    changed = mine.update(state=state, lease="", lease_until=None, **fields)
    return state if changed else "lost"


def _bury_mine(mine: QuerySet[Job], error: str, place: str) -> str:
    job = mine.first()
    return "dead" if job is not None and _bury(job, mine, error, place) else "lost"


def _bury(job: Job, seen: QuerySet[Job], error: str, place: str) -> bool:
    """Give a job up and tell its flow, in one transaction; False if another was faster."""
    with transaction.atomic():
        changed = seen.update(
            state="dead",
            lease="",
            lease_until=None,
            error_class=error[:120],
            error_place=place,
            finished_at=timezone.now(),
        )
        if changed:
            log.error("job %s of kind %s is dead: %s", job.pk, job.kind, error)
            _tell_of_death(KINDS[job.kind], job)
    return bool(changed)


def _tell_of_death(kind: Kind, job: Job) -> None:
    if kind.on_dead is None:
        return
    try:
        with transaction.atomic():
            kind.on_dead(**job.payload)
    except Exception as error:  # noqa: BLE001 - the job is dead all the same
        log.error("the end of job %s could not be told: %s at %s", job.pk, _name(error), _place(error))


def _in(seconds: float) -> dt.datetime:
    return timezone.now() + dt.timedelta(seconds=seconds)


def _name(error: BaseException) -> Code:
    """The class of an error."""
    return Code(type(error).__qualname__[:120])


def _place(error: BaseException) -> Code:
    """File and line where it was raised, of our own code if there is any: never a message."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "/tollkeeper/" in f.filename] or frames
    if not ours:
        return Code()
    last = ours[-1]
    return Code(f"{last.filename.rpartition('/tollkeeper/')[2]}:{last.lineno}"[-160:])


def step_schedules() -> int:
    """Enqueue what is due; any number of workers may call it, one wins each turn."""
    now = timezone.now()
    turned = 0
    for kind, every_s in SCHEDULES.items():
        every = dt.timedelta(seconds=every_s)
        row = Schedule.objects.filter(pk=kind).first()
        if row is None:
            first = Schedule(kind=kind, every_us=int(every_s * 1e6), next_at=now)
            Schedule.objects.bulk_create([first], ignore_conflicts=True)
            continue
        if row.next_at > now and row.next_at <= now + every:
            continue
        missed = max(0, (now - row.next_at) // every)
        after = min(row.next_at + (missed + 1) * every, now + every)
        with transaction.atomic():
            mine = Schedule.objects.filter(pk=kind, next_at=to_micros(row.next_at))
            if mine.update(next_at=after, every_us=int(every_s * 1e6)):
                _supersede(kind)
                enqueue(kind, f"{kind}@{row.next_at:%Y-%m-%dT%H:%M:%S.%f}")
                turned += 1
    return turned


def _supersede(kind: str) -> None:
    """A new run takes the place of one that waits or was given up: one dead letter per schedule at most."""
    Job.objects.filter(kind=kind, state__in=("ready", "dead")).update(
        state=states.step(states.JOB, "dead", "cancel"), finished_at=timezone.now()
    )


@schedule("prune_jobs", every_s=3600)
def prune_jobs(context: Context) -> None:
    """Keep the table of jobs small."""
    prune()


def prune(older_than: dt.timedelta = dt.timedelta(days=1)) -> int:
    """Forget finished runs of schedules; other jobs are kept as long as the policy says."""
    done = Job.objects.filter(
        state__in=("done", "cancelled"), kind__in=list(SCHEDULES), finished_at__lt=timezone.now() - older_than
    )
    return done.delete()[0]


def prune_done(older_than: dt.timedelta, now: dt.datetime) -> int:
    """Forget every job that ended, well or not, longer ago than ``older_than``; how many."""
    ended = Job.objects.filter(state__in=("done", "dead", "cancelled"), finished_at__lt=now - older_than)
    return ended.delete()[0]


def _turn_schedules() -> None:
    step_schedules()


class _Heart(threading.Thread):
    """Renews the leases of all jobs that this worker runs."""

    def __init__(self) -> None:
        super().__init__(name="heart", daemon=True)
        self._running: dict[int, Context] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def add(self, context: Context) -> None:
        with self._lock:
            self._running[context.job_id] = context

    def remove(self, context: Context) -> None:
        with self._lock:
            self._running.pop(context.job_id, None)

    def stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        while not self._stopped.wait(LEASE_S / 3):
            with self._lock:
                running = list(self._running.values())
            for context in running:
                try:
                    mine = Job.objects.filter(pk=context.job_id, lease=context.token, state="running")
                    if not mine.update(lease_until=_in(LEASE_S)):
                        context.lost.set()
                except (DatabaseError, InterfaceError) as error:
                    log.warning("a lease could not be renewed: %s", _name(error))
                    close_old_connections()
        connections.close_all()


def _repeat(stop: threading.Event, name: str, every_s: float, turn: Callable[[], bool | None]) -> None:
    """Call ``turn`` until told to stop; errors slow it down and never end it."""
    wait = every_s
    while not stop.is_set():
        try:
            more = turn()
            wait = every_s
            if more:
                continue
        except Exception as error:  # noqa: BLE001 - a loop never ends by an error
            wait = min(max(wait * 2, 0.5), 30.0)
            log.warning("%s failed: %s at %s", name, _name(error), _place(error))
            close_old_connections()
        stop.wait(wait)
    connections.close_all()


def run_worker(stop: threading.Event, threads: int = 2) -> None:
    """Do jobs, schedules and loops until ``stop`` is set; returns when all have ended.

    Jobs in hand are finished; what is killed instead is taken over by another
    worker ``LEASE_S`` seconds later and goes on after its last step.
    """
    heart = _Heart()
    heart.start()
    crew = [
        threading.Thread(target=_claim_loop, args=(stop, heart), name=f"jobs-{n}") for n in range(threads)
    ]
    crew.append(
        threading.Thread(target=_repeat, args=(stop, "schedules", 0.5, _turn_schedules), name="schedules")
    )
    crew += [_loop_thread(stop, one) for one in LOOPS.values()]
    for thread in crew:
        thread.start()
    stop.wait()
    wake.set()
    for thread in crew:
        thread.join()
    heart.stop()
    heart.join()


def _loop_thread(stop: threading.Event, one: Loop) -> threading.Thread:
    return threading.Thread(
        target=_repeat, args=(stop, one.name, one.every_s, lambda: one.run(stop)), name=one.name
    )


def _claim_loop(stop: threading.Event, heart: _Heart) -> None:
    def turn() -> bool:
        context = claim()
        if context is None:
            wake.wait(POLL_S)
            wake.clear()
            return True
        heart.add(context)
        began = time.monotonic()
        try:
            state = run(context)
        finally:
            heart.remove(context)
        log.info(
            "job %s of kind %s: %s, %.0f ms",
            context.job_id,
            context.kind,
            state,
            (time.monotonic() - began) * 1e3,
        )
        return True

    _repeat(stop, "jobs", POLL_S, turn)
