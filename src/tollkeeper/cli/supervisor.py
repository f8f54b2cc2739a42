"""Keeps the processes of one machine running: keeps their lines, restarts them, ends them all.

Every child leads a session of its own, so a Ctrl-C at the terminal reaches only
the supervisor, which then ends its children in order. A child dies with the
supervisor even where the supervisor is killed (see :mod:`tollkeeper.cli.children`),
and what a killed child leaves of its own is swept before it is started again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path

from tollkeeper.cli.children import die_with_parent
from tollkeeper.cli.errors import redact

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 30.0
STEADY_S = 30.0
"""A child that ran this long is forgiven its earlier falls."""
GRACE_S = 10.0
LOG_BYTES = 4_000_000
LONGEST_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Program:
    """One process to keep running. ``port`` is None where it listens nowhere."""

    name: str
    command: tuple[str, ...]
    port: int | None = None
    path: str = "/"
    """What to ask for to see whether it answers."""
    stop_order: int = 0
    """Low numbers are ended first."""
    late: bool = False
    """Started once all others answer: nobody waits for it, so it should not slow them down."""


@dataclass(slots=True)
class Child:
    """A program and its present process."""

    program: Program
    process: asyncio.subprocess.Process | None = None
    falls: int = 0
    last_lines: list[str] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None


def say(line: str) -> None:
    """Print a line; a terminal that has gone away is no reason to stop."""
    with contextlib.suppress(OSError, ValueError):
        print(line, flush=True)  # noqa: T201 - the supervisor's own voice


class DailyFile(RotatingFileHandler):
    """Begins anew when it is full and with each day, so that no line outlives the file before."""

    def shouldRollover(self, record: logging.LogRecord) -> int:  # noqa: N802 - the standard library's name
        try:
            written = Path(self.baseFilename).stat()
        except OSError:
            return False
        today = time.gmtime(record.created)[:3]
        if written.st_size and time.gmtime(written.st_mtime)[:3] < today:
            return True
        return super().shouldRollover(record)


class Supervisor:
    """Runs ``programs`` until :meth:`stop` is called.

    ``changed`` is called with name → process id whenever a process is started. What
    the children print goes to ``logs/<name>.log``, and to the terminal if ``verbose``.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        environment: Mapping[str, str],
        logs: Path,
        changed: Callable[[dict[str, int]], None],
        verbose: bool = False,
    ) -> None:
        self.children = [Child(program) for program in programs]
        self._environment = dict(environment)
        self._logs = logs
        self._changed = changed
        self._verbose = verbose
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._others_answer = asyncio.Event()
        self._width = max(len(program.name) for program in programs)

    def stop(self) -> None:
        """End everything in order; a second call ends it at once."""
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    async def run(self) -> None:
        """Start all, keep them running, and return when all are gone."""
        tasks = [asyncio.create_task(self._keep(child)) for child in self.children]
        for task in tasks:  # a keeper that breaks ends the whole, and `gather` tells why
            task.add_done_callback(lambda _: self._stopping.set())
        await self._stopping.wait()
        for order in sorted({child.program.stop_order for child in self.children}):
            await self._end([c for c in self.children if c.program.stop_order == order])
        await asyncio.gather(*tasks)

    async def _end(self, children: list[Child]) -> None:
        for child in children:
            _signal(child, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_S
        while any(child.alive for child in children) and time.monotonic() < deadline:
            if self._hurry.is_set():
                break
            await asyncio.sleep(0.02)
        for child in children:
            if child.alive:
                _sweep(child)

    async def _keep(self, child: Child) -> None:
        delay = FIRST_DELAY_S
        log = self._open_log(child.program.name)
        if child.program.late:
            await _first(self._others_answer, self._stopping)
        while not self._stopping.is_set():
            began = time.monotonic()
            # A pipe of our own: asyncio's would make `wait` wait for grandchildren that hold it open.
            inlet, outlet = os.pipe()
            child.process = await asyncio.create_subprocess_exec(
                *child.program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=outlet,
                stderr=outlet,
                env=self._environment,
                preexec_fn=die_with_parent,
                start_new_session=True,
            )
            os.close(outlet)
            relaying = asyncio.create_task(self._relay(child, inlet, log))
            if self._stopping.is_set():  # born too late to be ended with the others
                _sweep(child)
            self._changed({c.program.name: c.process.pid for c in self.children if c.process and c.alive})
            code = await child.process.wait()
            _sweep(child)
            await relaying
            if self._stopping.is_set():
                break
            child.falls += 1
            delay = FIRST_DELAY_S if time.monotonic() - began > STEADY_S else min(delay * 2, LONGEST_DELAY_S)
            last = f"; its last line: {child.last_lines[-1]}" if child.last_lines and code >= 0 else ""
            self._say(child, f"ended ({_cause(code)}){last}; starting it again in {delay:.1f} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
        log.close()

    async def _relay(self, child: Child, inlet: int, log: RotatingFileHandler) -> None:
        """Copy a child's lines to its log (and the terminal), addresses of people left out."""
        lines = asyncio.StreamReader(limit=LONGEST_LINE)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), os.fdopen(inlet, "rb", buffering=0)
        )
        while True:
            try:
                line = await lines.readline()
            except ValueError:  # longer than the limit: dropped, so that the child is not held up
                continue
            if not line:
                break
            text = redact(line.decode(errors="replace").rstrip())
            child.last_lines = [*child.last_lines[-4:], text]
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            log.emit(logging.makeLogRecord({"msg": f"{stamp} {text}"}))
            if self._verbose:
                self._say(child, text)
        transport.close()

    def _say(self, child: Child, text: str) -> None:
        say(f"{child.program.name:>{self._width}} | {text}")

    def _open_log(self, name: str) -> RotatingFileHandler:
        path = self._logs / f"{name}.log"
        return DailyFile(path, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")

    async def wait_until_all_answer(self, timeout_s: float) -> Child | None:
        """None when every child answers, or the first that still does not after ``timeout_s`` seconds."""
        deadline = time.monotonic() + timeout_s
        for child in sorted(self.children, key=lambda child: child.program.late):
            if child.program.late:
                self._others_answer.set()
            pause = 0.02
            while not await _answers(child):
                if self._stopping.is_set():
                    return None
                if time.monotonic() > deadline or child.falls >= 3:
                    return child
                await asyncio.sleep(pause)
                pause = min(pause * 1.2, 1.0)
        return None


async def _first(*events: asyncio.Event) -> None:
    """Return when any of the events is set."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()


async def _answers(child: Child) -> bool:
    """True if the child lives and, where it listens, gives an HTTP answer below 500."""
    program = child.program
    if program.port is None or not child.alive:
        return child.alive
    try:
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection("127.0.0.1", program.port)
            try:
                ask = f"GET {program.path} HTTP/1.1\r\nHost: 127.0.0.1:{program.port}\r\n"
                writer.write(f"{ask}Connection: close\r\n\r\n".encode())
                status = (await reader.readline()).split()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return len(status) > 1 and status[0].startswith(b"HTTP/") and status[1] < b"500"


def _signal(child: Child, number: signal.Signals) -> None:
    if child.process is not None and child.alive:
        with contextlib.suppress(ProcessLookupError):
            child.process.send_signal(number)


def _sweep(child: Child) -> None:
    """Kill what is left of the child's process group: it is the child's own session."""
    if child.process is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, signal.SIGKILL)


def _cause(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"


def python(*arguments: str) -> tuple[str, ...]:
    """A command that runs this Python, unbuffered."""
    return (sys.executable, "-u", *arguments)
