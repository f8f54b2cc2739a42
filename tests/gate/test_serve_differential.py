"""What passes the gate is framed alike by servers that have nothing in common but the standard.

The same bytes are played through one gate before each of them: a request reaches
all of them with the same method, target and body, or none of them, and as often as
a call was charged. What lies in bodies never becomes a request.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from tests.gate.corpus import LINES, SMUGGLING, WHOLE, mutants
from tests.gate.stage import ROUTES, RunningGate, Stage, request, statuses
from tests.services.recorder import RecordingServer, kinds
from tollkeeper.core.charges import Outcome
from tollkeeper.core.journal import Settled

MUTANTS = 400
SEED = 20261123


@dataclass
class Line:
    """One server with a gate before it, and what came of the messages that were played."""

    server: RecordingServer
    stage: Stage
    gate: RunningGate
    key: bytes
    answers: dict[str, list[int]] = field(default_factory=dict)

    def play(self, messages: dict[str, bytes]) -> None:
        """Send each message on a connection of its own, followed by one more request."""
        with ThreadPoolExecutor(16) as pool:
            found = pool.map(lambda data: self.gate.talk(data, 1.0), messages.values())
            for name, answer in zip(messages, found, strict=True):
                self.answers[name] = [status for status in statuses(answer) if status != 100]

    def charged(self) -> int:
        """Calls that were answered and charged."""
        return sum(isinstance(r, Settled) and r.outcome == Outcome.OK for r in self.stage.records())


def written(key: bytes) -> dict[str, bytes]:
    """All messages by name. Their targets hold a number, so that one can tell what became of which."""
    found: dict[str, bytes] = {}
    ends = {
        **{f"smuggling: {name}": end for name, end in SMUGGLING.items()},
        **{f"whole: {name}": end for name, end in WHOLE.items()},
        **{f"mutant {number}": end for number, end in enumerate(mutants(MUTANTS, SEED))},
    }
    fields = b"Host: x\r\nAuthorization: Bearer " + key + b"\r\n"
    for number, (name, end) in enumerate(ends.items()):
        after = request(key, f"/after-{number}", fields=b"Connection: close\r\n")
        found[name] = b"POST /n%d HTTP/1.1\r\n%b%b%b" % (number, fields, end, after)
    for name, line in LINES.items():
        found[f"line: {name}"] = b"%b\r\n%b\r\n" % (line, fields)
    return found


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Line]]:
    """Everything, played through a gate before each of the servers."""
    folder = tmp_path_factory.mktemp("differential")
    lines: list[Line] = []
    with ExitStack() as stack:
        for kind in kinds():
            server = stack.enter_context(RecordingServer(kind, folder))
            stage = Stage(folder / kind, server.port)
            stack.callback(stage.stop_all)
            stage.publish(routes=ROUTES)
            _, key = stage.customer(100_000)
            lines.append(Line(server, stage, stage.run_gate(), key))
        assert len({line.key for line in lines}) == 1, "the same bytes for all"
        until = time.monotonic() + 20
        for line in lines:
            while statuses(line.gate.talk(request(line.key, "/v1/limits"), 5)) != [200]:
                assert time.monotonic() < until
        messages = written(lines[0].key)
        for line in lines:
            line.play(messages)
        yield lines


def test_two_servers_at_least_are_asked(played: list[Line]) -> None:
    assert {"hyper", "h11", "llhttp"} <= {line.server.kind for line in played}


def test_all_servers_see_the_same_requests(played: list[Line]) -> None:
    first, *others = played
    wanted = first.server.seen()
    assert len(wanted) > len(WHOLE) * 2
    for other in others:
        assert other.server.seen() == wanted, other.server.kind


def test_what_is_whole_passes_and_what_is_ambiguous_does_not(played: list[Line]) -> None:
    for line in played:
        for name, answers in line.answers.items():
            kind = name.partition(":")[0]
            if kind == "whole":
                assert answers == [200, 200], name
            elif kind in ("smuggling", "line"):
                assert answers in ([400], []), name


def test_nothing_inside_of_a_body_becomes_a_request(played: list[Line]) -> None:
    for line in played:
        targets = [target for _, target, _ in line.server.seen()]
        assert "/smuggled" not in targets
        assert len(targets) == len(set(targets)), "no request comes twice"


def test_each_request_that_was_seen_was_charged(played: list[Line]) -> None:
    for line in played:
        assert line.charged() == len(line.server.seen()), line.server.kind
