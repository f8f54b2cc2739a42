"""The words of the Data Rights Protocol."""

import datetime as dt
import json

import pytest

from tollkeeper.core import drp, states

NOW = dt.datetime(2026, 6, 10, 9, tzinfo=dt.UTC)
HEAD = {
    "agent-id": "AGENT",
    "business-id": "SHOP",
    "issued-at": "2026-06-10T08:59:00Z",
    "expires-at": "2026-06-10T09:14:00+00:00",
}
ASKED = {**HEAD, "drp.version": "1.0", "exercise": "access", "regime": "ccpa", "email": "ada@example.org"}


def test_a_valid_message_is_read() -> None:
    message = drp.read_head(json.dumps(ASKED).encode(), "AGENT", "SHOP", NOW)
    asked = drp.read_exercise(message)
    assert (asked.kind, asked.regime, asked.email) == ("know", "ccpa", "ada@example.org")


@pytest.mark.parametrize(
    "wrong",
    [
        {"agent-id": "OTHER"},
        {"business-id": "OTHER"},
        {"expires-at": "2026-06-10T08:59:59Z"},
        {"issued-at": "2026-06-10T09:00:01Z"},
        {"expires-at": "2026-06-10T09:00:00Z"},
        {"expires-at": "2026-06-11T09:00:00Z"},
        {"expires-at": "soon"},
        {"issued-at": None},
    ],
)
def test_a_head_that_is_not_for_us_and_now_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(drp.BadMessage):
        drp.read_head(json.dumps({**ASKED, **wrong}).encode(), "AGENT", "SHOP", NOW)


@pytest.mark.parametrize("raw", [b"", b"[]", b"no json", b'"text"'])
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(drp.BadMessage):
        drp.read_head(raw, "AGENT", "SHOP", NOW)


@pytest.mark.parametrize(
    "wrong",
    [{"exercise": "sale:opt_in"}, {"regime": "lgpd"}, {"email": ""}, {"email": 7}, {"drp.version": "0.5"}],
)
def test_what_is_not_offered_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(drp.BadMessage):
        drp.read_exercise({**ASKED, **wrong})


def test_every_state_of_a_request_has_a_status() -> None:
    known = {"open", "in_progress", "fulfilled", "revoked", "denied", "expired"}
    for state in states.REQUEST.states:
        told = drp.status_of("R-1", state, "excessive", NOW, NOW.date(), "https://x/")
        assert told["status"] in known
        assert ("user_verification_url" in told) is (state == "verifying")
