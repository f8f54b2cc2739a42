"""Events come out whole and unchanged, however the stream was cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core import events
from tollkeeper.core.events import Events, EventTooLong, event_data

LINE = st.text(alphabet="abc: ", min_size=1, max_size=8).map(str.encode)
EVENT = st.tuples(st.lists(LINE, min_size=1, max_size=3), st.sampled_from([b"\n", b"\r\n"])).map(
    lambda drawn: drawn[1].join(drawn[0]) + drawn[1] * 2
)


@given(st.lists(EVENT, max_size=6), st.lists(st.integers(0, 60), max_size=8), st.binary(max_size=3))
def test_any_cut_gives_the_same_events(sent: list[bytes], cuts: list[int], tail: bytes) -> None:
    tail = tail.replace(b"\n", b"").replace(b"\r", b"")
    stream = b"".join(sent) + tail
    parser, got = Events(), []
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for start, stop in pairwise(edges):
        got += parser.feed(stream[start:stop])
    assert b"".join(got) + parser.rest() == stream
    assert got == sent
    assert parser.rest() == tail


def test_data_lines_are_joined() -> None:
    assert event_data(b"event: x\r\ndata: a\r\ndata:b\r\n\r\n") == b"a\nb"
    assert event_data(b": comment\n\n") == b""


def test_an_endless_event_is_given_up_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_EVENT", 10)
    parser = Events()
    assert parser.feed(b"data: 1\n\ndata: 0123456789") == [b"data: 1\n\n"]
    for more in (b"01", b"\n\n"):
        with pytest.raises(EventTooLong):
            parser.feed(more)
    assert parser.rest() == b"data: 012345678901\n\n"
