"""Every refusal is whole in every form, and tells what a program needs."""

from __future__ import annotations

import json

import pytest

from tollkeeper.gate.answers import ERROR_TYPES, REASONS, REFUSALS, refuse, units


@pytest.mark.parametrize("protocol", ["rest", "openai", "anthropic"])
@pytest.mark.parametrize("code", REFUSALS)
def test_every_refusal_in_every_form(code: str, protocol: str) -> None:
    answer = refuse(code, "req_1", protocol=protocol, docs_url="https://docs.example/errors", retry_after_s=3)
    body = json.loads(answer.body)
    assert body["origin"] == "gate"
    assert body["request_id"] == "req_1"
    assert answer.status in REASONS
    head = answer.head(b"req_1", keep=False)
    assert head.startswith(b"HTTP/1.1 %d " % answer.status)
    assert b"Content-Length: %d\r\n" % len(answer.body) in head
    assert b"\r\nRetry-After: 3\r\n" in head
    assert head.endswith(b"\r\nConnection: close\r\n\r\n")
    if protocol == "rest":
        assert body["type"] == f"https://docs.example/errors#{code}"
        assert body["status"] == answer.status == REFUSALS[code].status
    else:
        assert body["error"]["type"] in {name for pair in ERROR_TYPES.values() for name in pair}


def test_units_are_whole_where_they_are_whole() -> None:
    assert (units(3_000_000), units(2_500_000)) == (3, 2.5)
    assert isinstance(units(3_000_000), int)
