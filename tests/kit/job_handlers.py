"""Kinds of jobs for the tests of the engine; imported by the workers that the tests start and kill."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from tollkeeper.kit.jobs import Context, GiveUp, Retry, enqueue, job, loop, run_worker, schedule


def folder() -> Path:
    return Path(os.environ["JOB_TEST_FOLDER"])


def note(name: str) -> str:
    """An effect that can be counted: one line per time it happened."""
    with (folder() / name).open("a") as file:
        file.write(f"{os.getpid()}\n")
    return name


def count(name: str) -> int:
    path = folder() / name
    return len(path.read_text().splitlines()) if path.exists() else 0


@job("t_steps", purpose="delivery")
def steps(context: Context, number: int) -> None:
    """Two effects outside, one inside; holds at a gate file between them, so that a test can kill it."""
    context.call("first", note, f"first-{number}")
    note(f"between-{number}")
    while not (folder() / "go").exists():
        time.sleep(0.02)
    context.step("inside", _follow_up, number)
    context.call("second", note, f"second-{number}")


def _follow_up(number: int) -> int:
    return enqueue("t_quick", f"follow-{number}", number=number)


@job("t_quick", purpose="delivery")
def quick(context: Context, number: int) -> None:
    context.call("note", note, f"quick-{number}")


@job("t_broken", purpose="delivery", attempts=3, cap_s=0.01)
def broken(context: Context, number: int) -> None:
    note(f"broken-{number}")
    raise ValueError("somebody@example.com was here")


buried: list[int] = []


@job("t_hopeless", purpose="delivery", on_dead=lambda number: buried.append(number))
def hopeless(context: Context, number: int) -> None:
    raise GiveUp("no_such_thing")


@job("t_patient", purpose="delivery", attempts=2)
def patient(context: Context, number: int) -> None:
    if count(f"patient-{number}") < 5:
        note(f"patient-{number}")
        raise Retry(0)


@job("t_killer", purpose="delivery", attempts=2)
def killer(context: Context, number: int) -> None:
    note(f"killer-{number}")
    os._exit(9)


@schedule("t_tick", every_s=3600)
def tick(context: Context) -> None:
    note("tick")


@loop("t_loop", every_s=0.05)
def turn(stop: threading.Event) -> bool:
    if (folder() / "loop-fails").exists():
        note("loop-failed")
        raise RuntimeError("a loop lives on")
    note("loop")
    return False


def main() -> None:
    """A worker as its own process."""
    run_worker(threading.Event())
