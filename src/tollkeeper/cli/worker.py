"""``tollkeeper worker``: does the jobs, takes in the gates' journals, sweeps."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import AbstractContextManager, nullcontext

from tollkeeper.cli.django import refuse_if_locked, start
from tollkeeper.config.environment import BadEnvironment


def worker() -> None:
    """Run one worker alone. Any number may run at once.

    With TOLLKEEPER_WORKER_METRICS=9009 it answers /metrics and /healthz on that port of this machine.

    Example: TOLLKEEPER_HOME=/srv/shop tollkeeper worker
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    start()
    refuse_if_locked()
    from tollkeeper import flows, proofs
    from tollkeeper.kit import egress_guard, purposes
    from tollkeeper.kit.jobs import run_worker
    from tollkeeper.privacy import checks

    checks.require()  # an undeclared column refuses the boot
    purposes.guard_process()  # no data of people is read without saying what for
    egress_guard.guard_process()  # and nothing leaves but through the door
    flows.register()
    proofs.register()
    with _metrics():
        run_worker(stop)


def _metrics() -> AbstractContextManager[object]:
    from tollkeeper.kit import job_metrics

    port = os.environ.get("TOLLKEEPER_WORKER_METRICS", "")
    if not port:
        return nullcontext()
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise BadEnvironment(
            f"TOLLKEEPER_WORKER_METRICS is {port!r}: write a port, such as 9009, or leave it out"
        )
    return job_metrics.serving(int(port))
