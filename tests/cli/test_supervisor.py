"""The supervisor with real child processes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.services.postgres import free_port
from tollkeeper.cli.supervisor import DailyFile, Program, Supervisor, python

SLEEPER = "import time; time.sleep(60)"
SERVER = """
from http.server import SimpleHTTPRequestHandler, test
test(SimpleHTTPRequestHandler, port={port}, bind="127.0.0.1")
"""
BROKEN = "raise SystemExit('no such thing')"
TALKER = f"print('mail to ada@example.org'); {SLEEPER}"
PARENT = f"""
import subprocess, sys, time
print(subprocess.Popen([sys.executable, "-c", {SLEEPER!r}]).pid)
time.sleep(60)
"""


def alive(pid: int) -> bool:
    """True if the process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def make(tmp_path: Path, *programs: Program) -> tuple[Supervisor, list[dict[str, int]]]:
    told: list[dict[str, int]] = []
    supervisor = Supervisor(
        programs, environment=os.environ, logs=tmp_path, changed=told.append, verbose=True
    )
    return supervisor, told


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.02)


def test_a_killed_child_is_started_again_and_all_end_together(tmp_path: Path) -> None:
    async def story() -> tuple[int, int, list[dict[str, int]]]:
        supervisor, told = make(
            tmp_path, Program("one", python("-c", SLEEPER)), Program("two", python("-c", SLEEPER))
        )
        running = asyncio.create_task(supervisor.run())
        await until(lambda: bool(told) and len(told[-1]) == 2)
        first = told[-1]["one"]
        os.kill(first, signal.SIGKILL)
        await until(lambda: told[-1].get("one", first) != first)
        second = told[-1]["one"]
        supervisor.stop()
        await running
        return first, second, told

    first, second, told = asyncio.run(story())
    assert first != second
    assert not any(alive(pid) for processes in told for pid in processes.values())


def test_what_a_killed_child_leaves_is_swept(tmp_path: Path) -> None:
    async def story() -> int:
        supervisor, told = make(tmp_path, Program("parent", python("-c", PARENT)))
        running = asyncio.create_task(supervisor.run())
        child = supervisor.children[0]
        await until(lambda: bool(child.last_lines))
        grandchild = int(child.last_lines[0])
        os.kill(told[-1]["parent"], signal.SIGKILL)
        await until(lambda: child.falls == 1)
        supervisor.stop()
        await running
        return grandchild

    grandchild = asyncio.run(story())
    assert eventually(lambda: not alive(grandchild))


def test_a_child_that_will_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tollkeeper.cli.supervisor.GRACE_S", 0.3)
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(60)"

    async def story() -> int:
        supervisor, told = make(tmp_path, Program("deaf", python("-c", code)))
        running = asyncio.create_task(supervisor.run())
        await until(lambda: supervisor.children[0].last_lines == ["deaf"])
        supervisor.stop()
        await running
        return told[-1]["deaf"]

    assert not alive(asyncio.run(story()))


def test_waits_for_answers_and_names_the_silent_one(tmp_path: Path) -> None:
    port = free_port()

    async def story() -> tuple[str | None, str | None]:
        answering = Program("answering", python("-c", SERVER.format(port=port)), port)
        silent = Program("silent", python("-c", SLEEPER), free_port())
        supervisor, _ = make(tmp_path, answering, silent)
        running = asyncio.create_task(supervisor.run())
        late = await supervisor.wait_until_all_answer(3.0)
        supervisor.children = supervisor.children[:1]
        nobody = await supervisor.wait_until_all_answer(3.0)
        supervisor.children.append(late or supervisor.children[0])
        supervisor.stop()
        await running
        return (late.program.name if late else None), (nobody.program.name if nobody else None)

    assert asyncio.run(story()) == ("silent", None)


def test_a_late_child_is_started_when_the_others_answer(tmp_path: Path) -> None:
    port = free_port()

    async def story() -> tuple[bool, bool]:
        answering = Program("answering", python("-c", SERVER.format(port=port)), port)
        late = Program("late", python("-c", SLEEPER), late=True)
        supervisor, told = make(tmp_path, late, answering)
        running = asyncio.create_task(supervisor.run())
        await until(lambda: bool(told))
        early = "late" in told[-1]
        assert await supervisor.wait_until_all_answer(10.0) is None
        there = "late" in told[-1]
        supervisor.stop()
        await running
        return early, there

    assert asyncio.run(story()) == (False, True)


def test_a_late_child_that_never_started_holds_up_no_end(tmp_path: Path) -> None:
    async def story() -> None:
        supervisor, told = make(
            tmp_path, Program("one", python("-c", SLEEPER)), Program("late", python("-c", SLEEPER), late=True)
        )
        running = asyncio.create_task(supervisor.run())
        await until(lambda: bool(told))
        supervisor.stop()
        await asyncio.wait_for(running, 15)

    asyncio.run(story())


def test_a_child_that_keeps_falling_is_reported_early(tmp_path: Path) -> None:
    async def story() -> tuple[int, list[str]]:
        supervisor, _ = make(tmp_path, Program("broken", python("-c", BROKEN), free_port()))
        running = asyncio.create_task(supervisor.run())
        broken = await supervisor.wait_until_all_answer(30.0)
        supervisor.stop()
        await running
        assert broken is not None
        return broken.falls, broken.last_lines

    falls, lines = asyncio.run(story())
    assert falls >= 3
    assert lines[-1] == "no such thing"


def test_lines_reach_terminal_and_log_without_addresses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def story() -> None:
        supervisor, _ = make(tmp_path, Program("talker", python("-c", TALKER)))
        running = asyncio.create_task(supervisor.run())
        await until(lambda: bool(supervisor.children[0].last_lines))
        supervisor.stop()
        await running

    asyncio.run(story())
    for text in (capsys.readouterr().out, (tmp_path / "talker.log").read_text()):
        assert "mail to <address>" in text
        assert "example.org" not in text


@pytest.fixture
def orphan_maker(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    code = f"""
import asyncio, os
from pathlib import Path
from tollkeeper.cli.supervisor import Program, Supervisor, python
folder = Path({str(tmp_path)!r})
def changed(processes):
    (folder / "pids").write_text(" ".join(map(str, processes.values())))
programs = [Program(name, python("-c", {SLEEPER!r})) for name in ("one", "two")]
asyncio.run(Supervisor(programs, environment=os.environ, logs=folder, changed=changed).run())
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    yield process
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_children_die_with_a_killed_supervisor(tmp_path: Path, orphan_maker: subprocess.Popen[bytes]) -> None:
    pids = tmp_path / "pids"
    assert eventually(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    children = [int(pid) for pid in pids.read_text().split()]
    assert all(alive(pid) for pid in children)
    orphan_maker.kill()
    assert eventually(lambda: not any(alive(pid) for pid in children))


def test_a_log_begins_anew_with_each_day(tmp_path: Path) -> None:
    path = tmp_path / "web.log"
    log = DailyFile(path, maxBytes=10_000, backupCount=1, encoding="utf-8")

    def write(text: str, day: int) -> None:
        record = logging.makeLogRecord({"msg": text, "created": day * 86_400 + 60})
        log.emit(record)
        log.flush()
        os.utime(path, (record.created, record.created))

    for day in (20_000, 20_000, 20_001, 20_040):
        write(f"day {day}", day)
    assert path.read_text() == "day 20040\n"
    assert (tmp_path / "web.log.1").read_text() == "day 20001\n"
    log.close()
