"""The whole story, played by ``tour`` against the real processes of ``up``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.postgres import Postgres
from tests.services.running import RunningShop

STEPS = [
    "register",
    "confirm the address",
    "choose a plan",
    "pay with a test card",
    "wait for the delivery",
    "take the key",
    "make the first call",
    "see it in the console",
    "run into the limit",
    "go on after the wait",
    "compare calls and charges",
    "get the receipt",
]


def assert_whole(told: dict[str, Any]) -> None:
    """Every step happened, and what was charged is what was served."""
    assert told["ok"], told["steps"][-1]
    assert told["exit_code"] == 0
    assert set(told) == {"name", "ok", "steps", "figures", "seed", "wall_s", "exit_code"}
    assert [step["step"] for step in told["steps"]] == STEPS
    assert all(step["ok"] and step["ms"] >= 0 and step["detail"] for step in told["steps"])
    figures = told["figures"]
    assert set(figures) == {"email", "first_key_s", "first_call_ms", "calls", "charged_units"}
    assert figures["charged_units"] == figures["calls"] > 2


def processes_of(home: Path) -> list[int]:
    """Ids of living processes that were given this home."""
    found = []
    wanted = f"TOLLKEEPER_HOME={home}".encode()
    for entry in Path("/proc").iterdir():
        try:
            alive = (entry / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
            if entry.name.isdigit() and alive and wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def eventually(condition: Callable[[], bool], seconds: float = 15.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def files_with(home: Path, text: str) -> list[Path]:
    """Files below ``home`` that contain ``text`` in plain."""
    return [path for path in home.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_the_story_on_the_embedded_default(running_shop: RunningShop) -> None:
    told = running_shop.tour()
    assert_whole(told)
    assert told["figures"]["first_key_s"] < 60


def test_the_address_is_in_no_file_but_the_mail(running_shop: RunningShop) -> None:
    """Tables, write-ahead logs, journal, logs, run file: the customer's address is in none of them."""
    told = running_shop.tour()
    email = told["figures"]["email"]
    found = files_with(running_shop.home, email)
    assert found, "not even a mail holds the address: the search itself is broken"
    assert {path.parent.name for path in found} == {"mail"}
    assert not files_with(running_shop.home, email.partition("@")[0].upper())


def test_what_runs_is_named(running_shop: RunningShop) -> None:
    facts = running_shop.facts()
    assert set(facts["processes"]) == {"web", "gate", "worker", "checkout", "sample"}
    assert {"storefront", "console", "desk", "gate", "docs", "sample", "checkout", "mail"} == set(
        facts["addresses"]
    )
    assert all(Path(f"/proc/{pid}").exists() for pid in facts["processes"].values())


def test_a_second_up_on_the_same_home_is_refused(running_shop: RunningShop) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tollkeeper", "up", "--port", "60000"],
        env=running_shop.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert f"process {running_shop.process.pid}" in result.stderr


def test_the_story_on_postgresql(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.create_database("story")
    with RunningShop(tmp_path / "home", extra={"DATABASE_URL": url}) as shop:
        told = shop.tour()
        assert_whole(told)
        assert not (shop.home / "book.sqlite3").exists()
    dump = subprocess.run(
        [postgres.program("pg_dump"), "--inserts", url], capture_output=True, check=True, timeout=60
    ).stdout
    assert b"INSERT" in dump
    assert told["figures"]["email"].encode() not in dump


class Killer(threading.Thread):
    """Kills one process of the shop again and again, each time it is back."""

    def __init__(self, shop: RunningShop, name: str, times: int, every_s: float) -> None:
        super().__init__(daemon=True)
        self._shop, self._name, self._times, self._every_s = shop, name, times, every_s
        self._over = threading.Event()
        self.killed: list[int] = []

    def run(self) -> None:
        while len(self.killed) < self._times and not self._over.wait(self._every_s):
            pid = self._shop.pid(self._name)
            if pid is not None and pid not in self.killed:
                os.kill(pid, signal.SIGKILL)
                self.killed.append(pid)

    def end(self) -> None:
        self._over.set()
        self.join()


@pytest.fixture(params=["web", "gate", "worker"])
def killer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[RunningShop, Killer]]:
    with RunningShop(tmp_path / "home") as shop:
        thread = Killer(shop, request.param, times=3, every_s=0.7)
        yield shop, thread
        thread.end()


def test_a_killed_process_does_not_change_the_story(killer: tuple[RunningShop, Killer]) -> None:
    shop, thread = killer
    thread.start()
    told = shop.tour()
    thread.end()
    assert thread.killed, "nothing was killed: the story was over too soon"
    assert_whole(told)
    assert eventually(lambda: shop.pid(thread._name) not in (None, *thread.killed))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(number: signal.Signals, tmp_path: Path) -> None:
    with RunningShop(tmp_path / "home") as shop:
        assert len(processes_of(shop.home)) >= 6
        code = shop.stop(number)
        assert eventually(lambda: not processes_of(shop.home)), processes_of(shop.home)
        if number is not signal.SIGKILL:
            assert code == 0
            assert not shop.facts()
    with RunningShop(tmp_path / "home") as again:
        assert again.facts()["ready"]
