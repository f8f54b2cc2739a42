"""``TOLLKEEPER_JOURNAL_SYNC_MS=0``: no request goes on and no answer ends before the disk has its record."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.gate import stage as staging
from tests.gate.stage import PEPPER, Stage, free_port, problem, statuses, talk
from tests.gate.upstream import ScriptedUpstream
from tollkeeper.core.journal import Admitted, Settled
from tollkeeper.gate import journal
from tollkeeper.gate.options import Options
from tollkeeper.gate.serve import Gate

PATH = "/synced"


def request(key: bytes, path: str) -> bytes:
    """A call that ends its connection, so that nobody waits for silence."""
    return staging.request(key, path, fields=b"Connection: close\r\n")


class Disk:
    """Stands before ``fdatasync``: notes what the outside had seen at each, and may refuse."""

    def __init__(self, upstream: ScriptedUpstream) -> None:
        self.upstream = upstream
        self.full_at = 0
        """Refuse from this sync on; 0: never."""
        self.served: list[int] = []
        self.refused = threading.Event()
        self._sync = os.fdatasync

    def fdatasync(self, descriptor: int) -> None:
        self.served.append(len(self.upstream.on(PATH)))
        if self.full_at and len(self.served) >= self.full_at:
            self.refused.set()
            raise OSError(5, "Input/output error")
        self._sync(descriptor)


class GateHere:
    """A whole gate in a thread of this process, so that its disk can be made to fail."""

    def __init__(self, stage: Stage) -> None:
        self.port, self._internal = free_port(), free_port()
        self._stage = stage
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        assert self._started.wait(20)
        while b" 200 " not in talk(self._internal, b"GET /readyz HTTP/1.1\r\n\r\n", 5)[:20]:
            pass

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        options = Options(
            home=self._stage.home,
            database_url="",
            redis_url="",
            gate_id="gate-1",
            host="127.0.0.1",
            port=self.port,
            internal_port=self._internal,
            pepper=PEPPER,
            certificate="",
            private_key="",
            sync_ms=0,
            segment_bytes=1 << 20,
            drain_s=5.0,
            max_connections=100,
        )
        self._gate = Gate(options, self._loop, "pure")
        await self._gate.start()
        self._started.set()
        await self._gate.stopping.wait()
        await self._gate.drain()
        self._gate.lender.stop()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._gate.stopping.set)
            self._thread.join(20)


@pytest.fixture
def disk(upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk(upstream)
    upstream.seen.clear()
    monkeypatch.setattr(journal.os, "fdatasync", disk.fdatasync)
    return disk


@pytest.fixture
def here(new_stage: Callable[[], Stage], disk: Disk, monkeypatch: pytest.MonkeyPatch) -> Iterator[GateHere]:
    monkeypatch.setenv("TEST_CREDENTIAL", "upstream-secret")
    stage = new_stage()
    stage.publish()
    self = GateHere(stage)
    yield self
    disk.full_at = 0
    self.stop()


@pytest.fixture
def key(here: GateHere) -> bytes:
    """A key that has a lease already, so that a call is two syncs: admission and settlement."""
    _, text = here._stage.customer(1000)
    while statuses(talk(here.port, request(text, "/first"), 5)) != [200]:
        pass
    return text


def test_each_record_is_on_disk_before_what_it_tells_of(here: GateHere, disk: Disk, key: bytes) -> None:
    disk.served.clear()
    assert statuses(talk(here.port, request(key, PATH), 5)) == [200]
    assert disk.served[0] == 0, "the admission was forced before the upstream had the call"
    assert disk.served[1] == 1, "the settlement after it, and before the client had its answer"


def test_a_call_whose_admission_is_not_on_disk_goes_nowhere(
    here: GateHere, disk: Disk, key: bytes, upstream: ScriptedUpstream
) -> None:
    disk.served.clear()
    disk.full_at = 1
    assert talk(here.port, request(key, PATH)) == b"", "not even refused"
    assert disk.refused.is_set()
    assert not upstream.on(PATH)
    assert problem(talk(here.port, request(key, "/n"), 5)) == "not_ready", "nothing is admitted meanwhile"
    assert b"journal cannot be written" in talk(here._internal, b"GET /readyz HTTP/1.1\r\n\r\n", 5)


def test_an_answer_whose_settlement_is_not_on_disk_does_not_end(
    here: GateHere, disk: Disk, key: bytes, upstream: ScriptedUpstream
) -> None:
    disk.served.clear()
    disk.full_at = 2
    answers: list[bytes] = []
    caller = threading.Thread(target=lambda: answers.append(talk(here.port, request(key, PATH), 5)))
    caller.start()
    assert disk.refused.wait(20)
    assert len(upstream.on(PATH)) == 1
    assert not answers
    disk.full_at = 0
    caller.join(20)
    assert statuses(answers[0]) == [200]
    assert answers[0].endswith(PATH.encode() + b"<EOF>")
    here.stop()
    records = here._stage.records()
    admitted = [r.call_id for r in records if isinstance(r, Admitted)]
    settled = [r.call_id for r in records if isinstance(r, Settled)]
    assert sorted(admitted) == sorted(settled)
    assert len(set(settled)) == len(settled), "what was written before the disk failed is not written twice"
