"""Files of logs: one a day, sealed addresses, errors without anything a person said."""

from __future__ import annotations

import base64
import datetime as dt
import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tollkeeper.kit import access_log, job_runner, log_keys, log_lines

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
ADA = "ada@example.org"


@pytest.fixture(autouse=True)
def logs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(log_lines, "folder", lambda: tmp_path)
    monkeypatch.setattr(access_log, "_sealer", access_log.Sealer())
    return tmp_path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.django_db(databases=["default", "keystore"])
def test_each_day_has_its_file_and_each_address_the_key_of_that_day(logs: Path) -> None:
    log_keys.make_ahead(NOON.date(), 2)
    later = NOON + dt.timedelta(days=1)
    for now in (NOON, NOON, later):
        access_log.note_access("203.0.113.7", {"page": "plans/", "status": 200}, now)
    first, second = sorted(logs.iterdir())
    assert (first.name, second.name) == ("access-2026-11-23.log", "access-2026-11-24.log")
    assert len(lines(first)) == 2
    for path, now in ((first, NOON), (second, later)):
        for line in lines(path):
            sealed = base64.urlsafe_b64decode(line["from"])
            day = log_keys.day_number(now.date())
            assert log_keys.open_sealed_address(log_keys.ACCESS, day, sealed) == "203.0.113.7"
    assert b"203.0.113" not in first.read_bytes()
    assert first.stat().st_mode & 0o077 == 0


@pytest.mark.django_db(databases=["default", "keystore"])
def test_without_a_key_or_an_address_the_line_is_there_without_one(logs: Path) -> None:
    access_log.note_access("203.0.113.7", {"status": 200}, NOON)
    log_keys.make_ahead(NOON.date(), 1)
    access_log.note_access("unix:", {"status": 200}, NOON + dt.timedelta(minutes=2))
    access_log.note_access("::1", {"status": 200}, NOON + dt.timedelta(minutes=3))
    one, two, three = lines(logs / "access-2026-11-23.log")
    assert one["from"] is two["from"] is None
    assert three["from"]


def test_days_are_dropped_by_their_name(logs: Path) -> None:
    for days in range(4):
        log_lines.append("access", {}, NOON - dt.timedelta(days=days))
        log_lines.append("errors", {}, NOON - dt.timedelta(days=days))
    (logs / "web.log").touch()
    assert log_lines.drop_before(NOON.date() - dt.timedelta(days=1)) == 4
    assert log_lines.drop_before(NOON.date() - dt.timedelta(days=1)) == 0
    assert {day.day for _, _, day in log_lines.files()} == {22, 23}
    assert (logs / "web.log").exists()


def test_many_threads_write_whole_lines(logs: Path) -> None:
    def write() -> None:
        for _ in range(50):
            log_lines.append("access", {"x": "y" * 200}, NOON)

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lines(logs / "access-2026-11-23.log")) == 300


def test_a_folder_that_refuses_stops_nobody(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_lines, "folder", lambda: logs / "gone" / "deeper")
    log_lines.append("access", {}, NOON)


def _fails(words: str) -> None:
    secret = words  # a local that a careless traceback would show
    try:
        raise ValueError(f"no such person: {secret}")
    except ValueError as error:
        raise RuntimeError(secret) from error


def test_a_planted_error_leaves_no_word_of_a_person(logs: Path, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("tollkeeper.test")
    logger.propagate = False
    handler = log_lines.ErrorFile()
    logger.addHandler(handler)
    try:
        _fails(ADA)
    except RuntimeError:
        logger.exception(
            "job %s of %s failed at %d, key %s", "send_mail", ADA, 7, "tk_live_4f9a8s7d6f5g4h3j2k1l"
        )
    logger.removeHandler(handler)
    (path,) = logs.iterdir()
    text = path.read_text()
    assert ADA not in text
    assert "4f9a8s7d" not in text
    (line,) = lines(path)
    assert line["message"] == "job send_mail of <left out> failed at 7, key <left out>"
    assert [story.split(" at ")[0] for story in line["error"]] == ["RuntimeError", "ValueError"]
    assert "test_log_lines.py" in line["error"][0]


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.emails(), st.ip_addresses().map(str), st.from_regex(r"[A-Z][a-z]+ [A-Z][a-z]+", fullmatch=True)
    )
)
def test_what_looks_like_a_person_is_left_out(value: str) -> None:
    assert log_lines.scrub(value) == "<left out>"


@pytest.mark.parametrize("value", ["send_mail", "gate-1", "stripe.refund", "7", 7, 1.5, True])
def test_codes_of_ours_and_numbers_stay(value: object) -> None:
    told = log_lines.scrub(value)
    assert told == (str(value) if value != "7" else "<left out>")


def test_words_of_the_code_stay_and_the_words_of_an_error_do_not() -> None:
    error = ValueError(f"no such person {ADA}")
    for value in (job_runner._name(error), log_lines.Code("payments/providers/stripe.py:109"), error):
        told = log_lines.scrub(value)
        assert told in ("ValueError", "payments/providers/stripe.py:109")
        assert ADA not in told
    assert log_lines.scrub("ValueError") == "<left out>"


def test_the_words_of_others_are_left_out_and_patterns_survive_anything() -> None:
    def record(name: str, message: str, *args: object) -> dict[str, Any]:
        return log_lines.told_of(logging.LogRecord(name, logging.ERROR, "", 1, message, args or None, None))

    assert record("django.request", f"hello {ADA}")["message"] == "<left out>"
    assert record("tollkeeper.x", "the keystore is away")["message"] == "the keystore is away"
    assert (
        record("django.db", "%s: %s", "Internal Server Error", "/orders/AB12/")["message"]
        == "<left out>: <left out>"
    )
    assert record("tollkeeper.x", "%s and %s", "one")["message"] == "%s and %s"
