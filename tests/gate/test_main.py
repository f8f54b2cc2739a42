"""The gate's log: one JSON object a line, and nothing of persons in it."""

from __future__ import annotations

import json
import logging
import sys

from tests.gate.stage import RunningGate, Stage, request
from tollkeeper.gate.main import Line


def line(name: str, message: str, *args: object) -> dict[str, object]:
    """What is written of a record that tells of an error with data in it."""
    try:
        raise ValueError('two\nlines, a "quote" and ada@example.org')
    except ValueError:
        trouble = sys.exc_info()
    written = Line().format(logging.LogRecord(name, logging.ERROR, "", 0, message, args, trouble))
    assert "\n" not in written
    assert "ada" not in written
    told = json.loads(written)
    assert isinstance(told, dict)
    return told


def test_a_line_is_one_object_whatever_it_tells() -> None:
    told = line("tollkeeper.gate", 'near "%s"\n', "SELECT")
    assert (told["level"], told["from"], told["message"]) == ("ERROR", "tollkeeper.gate", 'near "SELECT"\n')
    assert str(told["at"]).endswith("+00:00")
    assert isinstance(told["error"], list)
    kind, place = told["error"]
    assert kind == "ValueError"
    assert place.startswith("test_main.py:")
    assert place.endswith(" line")


def test_what_the_loop_adds_is_left_out() -> None:
    told = line("asyncio", "Task exception was never retrieved\nfuture: <Task for ada@example.org>")
    assert told["message"] == "Task exception was never retrieved"


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
