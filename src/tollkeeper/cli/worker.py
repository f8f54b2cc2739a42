"""``tollkeeper worker``: does the jobs, takes in the gates' journals, sweeps."""

from __future__ import annotations

import signal
import threading

from tollkeeper.cli.django import refuse_if_locked, start


def worker() -> None:
    """Run one worker alone. Any number may run at once.

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
    run_worker(stop)
