"""The gate's log: one JSON object a line, and nothing of persons in it."""

from __future__ import annotations

import json
import logging
import sys

from tests.gate.stage import RunningGate, Stage, request
from tollkeeper.gate.main import Line


def test_a_line_is_one_object_whatever_it_tells() -> None:
    try:
        raise ValueError('two\nlines and a "quote"')
    except ValueError:
        trouble = sys.exc_info()
    record = logging.LogRecord("a.b", logging.ERROR, "", 0, 'near "%s"\n', ("SELECT",), trouble)
    written = Line().format(record)
    assert "\n" not in written
    told = json.loads(written)
    assert (told["level"], told["from"], told["message"]) == ("ERROR", "a.b", 'near "SELECT"\n')
    assert "ValueError: two" in told["trace"]
    assert told["at"].endswith("+00:00")


def test_the_log_holds_nothing_of_who_calls(gate: RunningGate, stage: Stage) -> None:
    _, key = stage.customer(5)
    fields = b"X-Forwarded-For: 203.0.113.77\r\nCookie: who=ada\r\nReferer: https://ada.example/\r\n"
    for path in ("/n?name=ada", "/fail?name=ada", "/halfdie?name=ada", "/both?name=ada", "/gone?name=ada"):
        gate.talk(request(key, path, fields=fields))
    gate.talk(b"GET /?name=ada HTTP/1.1\r\nHost: x\r\nbroken ada\r\n\r\n")
    gate.stop()
    written = gate.log.read_text()
    for line in written.splitlines():
        assert json.loads(line)["level"] in ("INFO", "WARNING")
    for secret in (key.decode(), key.decode()[8:20], "ada", "203.0.113", "/halfdie", "tenant-"):
        assert secret not in written
