"""Durable jobs, the one door: register, enqueue, run.

A job is a row. It is enqueued in the transaction that makes it necessary, claimed
under a lease that a heartbeat renews, and its steps are journaled, so that whoever
takes over after a crash goes on after the last step that was done. Give-ups are
dead letters: rows that an operator sees and can put back.

    @job("fulfil_line", purpose="delivery")
    def fulfil_line(context, line_id): ...

    enqueue("fulfil_line", f"fulfil:{line_id}", line_id=line_id)
"""

from tollkeeper.kit.job_context import LEASE_S, Context, GiveUp, LeaseLost, Retry
from tollkeeper.kit.job_kinds import job, loop, schedule
from tollkeeper.kit.job_queue import enqueue
from tollkeeper.kit.job_runner import run_worker

__all__ = [
    "LEASE_S",
    "Context",
    "GiveUp",
    "LeaseLost",
    "Retry",
    "enqueue",
    "job",
    "loop",
    "run_worker",
    "schedule",
]
