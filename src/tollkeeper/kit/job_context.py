"""What a running job sees: its steps, each done once, and its lease, without which it writes nothing."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.utils import timezone

from tollkeeper.kit.models import Job, Step

LEASE_S = 6.0
"""How long a worker may be silent before another takes over its job."""


class LeaseLost(BaseException):
    # not an error of the job, and no handler may swallow it
    """Another worker has this job now. Whoever sees it stops without writing anything."""


class Retry(Exception):
    # a wish, not an error
    """Try again after ``after_s`` seconds, without counting it as a failure."""

    def __init__(self, after_s: float) -> None:
        super().__init__(after_s)
        self.after_s = after_s


class GiveUp(Exception):
    # a decision, not an error
    """This job can never succeed. ``code`` is a word for the operator, never personal."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Context:
    """Handed to the handler of a job. ``key`` is unique for ever: good for idempotency keys."""

    def __init__(self, job: Job, token: str) -> None:
        self.job_id, self.kind, self.key, self.attempt = job.pk, job.kind, job.key, job.attempts
        self.token = token
        self.lost = threading.Event()
        self._done: dict[str, Any] = dict(Step.objects.filter(job_id=job.pk).values_list("name", "result"))

    def step(self, name: str, fn: Callable[..., Any], *args: Any) -> Any:
        """Do ``fn(*args)`` exactly once: its writes, its result and the lease check are one transaction.

        For work in the book only; what talks to the outside goes through :meth:`call`.
        The result must be JSON, and comes back as JSON gives it. Raises
        :class:`LeaseLost` if another worker has the job.
        """
        if name in self._done:
            return self._done[name]
        with transaction.atomic():
            self.renew()
            return self._record(name, fn(*args))

    def call(self, name: str, fn: Callable[..., Any], *args: Any) -> Any:
        """Do ``fn(*args)`` outside any transaction, then keep its result: at least once, normally once.

        For calls to the outside: make them idempotent with a key built of :attr:`key`.
        """
        if name in self._done:
            return self._done[name]
        self.renew()
        result = fn(*args)
        with transaction.atomic():
            self.renew()
            return self._record(name, result)

    def done(self, name: str) -> bool:
        """True if the step was done, now or by an earlier attempt."""
        return name in self._done

    def renew(self) -> None:
        """Make sure that the job is still ours, and lock it until the transaction ends."""
        until = timezone.now() + dt.timedelta(seconds=LEASE_S)
        mine = Job.objects.filter(pk=self.job_id, lease=self.token, state="running")
        if self.lost.is_set() or not mine.update(lease_until=until):
            self.lost.set()
            raise LeaseLost

    def _record(self, name: str, result: Any) -> Any:
        plain = json.loads(json.dumps(result))
        Step.objects.create(job_id=self.job_id, name=name, result=plain, done_at=timezone.now())
        self._done[name] = plain
        return plain
