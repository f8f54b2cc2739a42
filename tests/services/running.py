"""A whole shop, run by the real ``tollkeeper up`` in a scratch home on free ports."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.services.postgres import free_base_port

START_TIMEOUT_S = 90.0


class RunningShop:
    """Starts ``up`` and waits until it says that all answer. Use as a context manager."""

    def __init__(
        self, home: Path, *, extra: Mapping[str, str] | None = None, shop: str = "twtapi", port: int = 0
    ) -> None:
        self.home = home
        self.port = port or free_base_port()
        foreign = ("TOLLKEEPER_", "STRIPE_", "DATABASE_URL", "REDIS_URL", "DJANGO_", "PYTHONDONTWRITE")
        cleared = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self.environment = {**cleared, "TOLLKEEPER_HOME": str(home), **(extra or {})}
        self.output = home.parent / f"{home.name}-up.txt"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tollkeeper", "up", shop, "--port", str(self.port)],
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> RunningShop:
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self) -> None:
        """Return once everything answers; raises ``RuntimeError`` with what ``up`` said otherwise."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not (self.facts().get("ready") and self.facts().get("pid") == self.process.pid):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"`up` did not get ready:\n{self.output.read_text()[-4000:]}")
            time.sleep(0.05)

    def facts(self) -> dict[str, Any]:
        """What ``run.json`` says, or nothing."""
        try:
            facts: dict[str, Any] = json.loads((self.home / "run.json").read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return facts

    def address(self, name: str) -> str:
        """The address called ``name`` in ``run.json``, without a final slash."""
        return str(self.facts()["addresses"][name]).rstrip("/")

    def pid(self, name: str) -> int | None:
        """The process id of the child called ``name``; None while it is dead and not back yet."""
        pid: int | None = self.facts().get("processes", {}).get(name)
        return pid

    def kill(self, name: str) -> int:
        """``kill -9`` the child called ``name``; its process id."""
        pid = self.pid(name)
        assert pid is not None, f"{name} is not running"
        os.kill(pid, signal.SIGKILL)
        return pid

    def tour(self, *arguments: str, timeout_s: float = 150.0) -> dict[str, Any]:
        """Play ``tour --json`` against this shop; its one object, with ``exit_code`` added."""
        result = subprocess.run(
            [sys.executable, "-m", "tollkeeper", "tour", "--json", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        try:
            told: dict[str, Any] = json.loads(result.stdout)
        except ValueError:
            raise AssertionError(f"not one JSON object: {result.stdout!r} {result.stderr!r}") from None
        return {**told, "exit_code": result.returncode}

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """End ``up`` as Ctrl-C does; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise
