"""Durable work: jobs with leases, the journal of their steps, and schedules; public keys of logs."""

from __future__ import annotations

from django.db import models

from tollkeeper.core import states
from tollkeeper.kit.fields import EpochField


class Job(models.Model):
    """One piece of work. ``payload`` holds ids only, never a personal value.

    ``lease`` is the fencing token of the worker that runs it: whoever does not
    hold it any more writes nothing.
    """

    kind = models.CharField(max_length=60)
    key = models.CharField(max_length=200, unique=True)
    purpose = models.CharField(max_length=40)
    payload = models.JSONField(default=dict)
    state = models.CharField(max_length=12, default=states.JOB.initial)
    run_at = EpochField()
    attempts = models.IntegerField(default=0)
    lease = models.CharField(max_length=32, default="")
    lease_until = EpochField(null=True)
    error_class = models.CharField(max_length=120, default="")
    error_place = models.CharField(max_length=160, default="")
    created_at = EpochField()
    finished_at = EpochField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["state", "run_at"], name="kit_job_due"),
            models.Index(fields=["state", "finished_at"], name="kit_job_finished"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key} ({self.state})"


class Step(models.Model):
    """A step of a job that was done: its result is read instead of doing it again."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="steps")
    name = models.CharField(max_length=80)
    result = models.JSONField(null=True)
    done_at = EpochField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "name"], name="kit_step_once")]

    def __str__(self) -> str:
        return f"{self.name} of job {self.job_id}"


class Schedule(models.Model):
    """When a kind of job is due next; advanced by compare-and-swap, so one worker enqueues it."""

    kind = models.CharField(max_length=60, primary_key=True)
    every_us = models.BigIntegerField()
    next_at = EpochField()

    def __str__(self) -> str:
        return f"{self.kind} at {self.next_at}"


class LogKey(models.Model):
    """The public key to which addresses in one log of one day are sealed; the gates read it.

    ``day`` counts from 1970-01-01, UTC. The private half lies in the keystore.
    """

    log = models.CharField(max_length=12)
    day = models.IntegerField()
    public = models.BinaryField(max_length=32)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["log", "day"], name="kit_logkey_once")]

    def __str__(self) -> str:
        return f"key of log {self.log}, day {self.day}"
