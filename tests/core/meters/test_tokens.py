"""Tokens are counted as the protocols mean them; golden answers of each lie in ``golden/``."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core.meters import Count, Reading, Request, Unmetered
from tollkeeper.core.meters.tokens import IMAGE_TOKENS, METER
from tollkeeper.core.prices import price
from tollkeeper.core.terms import ModelTerms, RouteTerms

GOLDEN = Path(__file__).parent / "golden"
MODEL = ModelTerms("small", 1_000_000, 2_000_000, cache_read=100_000, cache_write=1_250_000, max_output=1000)
ALIAS = ModelTerms("alias", 1, 1, upstream_name="vendor/real")
CHAT = RouteTerms("chat", "/v1/chat/completions", methods=("POST",), meter="tokens", protocol="openai")
EMBED = RouteTerms("embed", "/v1/embeddings", methods=("POST",), meter="tokens", protocol="openai")
RESPONSES = RouteTerms("responses", "/v1/responses", methods=("POST",), meter="tokens", protocol="openai")
MESSAGES = RouteTerms("messages", "/v1/messages", methods=("POST",), meter="tokens", protocol="anthropic")


def opened(route: RouteTerms, **body: object) -> tuple[Reading, dict[str, object]]:
    assert METER.open is not None
    raw = json.dumps({"model": "small", **body}).encode()
    models = {"small": MODEL, "alias": ALIAS}
    reading, sent = METER.open(Request(route, models, b"", raw))
    return reading, json.loads(sent)


def read(reading: Reading, name: str, cuts: list[int] | None = None) -> tuple[Count, bytes]:
    data = (GOLDEN / name).read_bytes()
    reading.begin(200, name.endswith(".sse"), True)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts or []), len(data)]
    shown = b"".join(reading.feed(data[a:b]) for a, b in pairwise(edges))
    return reading.count(), shown + reading.end()


@pytest.mark.parametrize(
    ("route", "name", "tokens"),
    [
        (CHAT, "openai_chat.json", (3, 4, 16, 0)),
        (CHAT, "openai_chat_stream.sse", (3, 4, 16, 0)),
        (EMBED, "openai_embeddings.json", (8, 0, 0, 0)),
        (RESPONSES, "openai_responses.json", (30, 87, 6, 0)),
        (RESPONSES, "openai_responses_stream.sse", (30, 87, 6, 0)),
        (MESSAGES, "anthropic.json", (25, 15, 100, 10)),
        (MESSAGES, "anthropic_stream.sse", (25, 15, 100, 10)),
    ],
)
def test_golden_answers(route: RouteTerms, name: str, tokens: tuple[int, int, int, int]) -> None:
    reading, _ = opened(route, stream=name.endswith(".sse"))
    count, _ = read(reading, name)
    assert count == Count(price(MODEL, tokens), False, tokens, False, False)
    assert count.units is not None
    assert count.units <= reading.held


@given(st.lists(st.integers(0, 1200), max_size=12))
def test_however_a_stream_is_cut_the_count_and_what_is_shown_are_the_same(cuts: list[int]) -> None:
    reading, _ = opened(CHAT, stream=True)
    count, shown = read(reading, "openai_chat_stream.sse", cuts)
    assert count.tokens == (3, 4, 16, 0)
    assert shown.endswith(b"data: [DONE]\n\n")
    assert b'"choices":[]' not in shown
    assert shown.count(b"data: ") == 6


def test_usage_is_asked_for_and_shown_only_to_who_asked() -> None:
    reading, sent = opened(CHAT, stream=True)
    assert sent["stream_options"] == {"include_usage": True}
    assert b'"choices":[]' not in read(reading, "openai_chat_stream.sse")[1]
    reading, sent = opened(CHAT, stream=True, stream_options={"include_usage": True, "other": 1})
    assert sent["stream_options"] == {"include_usage": True, "other": 1}
    assert b'"choices":[]' in read(reading, "openai_chat_stream.sse")[1]
    assert reading.rewrites is False
    assert "stream_options" not in opened(CHAT)[1]
    assert "stream_options" not in opened(MESSAGES, stream=True)[1]


def test_a_stream_without_usage_is_estimated() -> None:
    reading, _ = opened(CHAT, stream=True, messages=[{"role": "user", "content": "x" * 400}])
    count, _ = read(reading, "openai_chat_stream_no_usage.sse")
    assert count.estimated
    assert count.units
    assert 4 <= count.tokens[1] <= 40


@pytest.mark.parametrize(
    ("route", "name"),
    [
        (CHAT, "openai_chat_stream_error.sse"),
        (RESPONSES, "openai_responses_failed.sse"),
        (MESSAGES, "anthropic_overloaded.sse"),
    ],
)
def test_a_stream_that_fails_says_so(route: RouteTerms, name: str) -> None:
    reading, _ = opened(route, stream=True)
    assert read(reading, name)[0].failed


def test_a_client_that_left_pays_what_was_seen() -> None:
    reading, _ = opened(MESSAGES, stream=True)
    reading.begin(200, True, True)
    half = (GOLDEN / "anthropic_stream.sse").read_bytes().partition(b"event: content_block_stop")[0]
    reading.feed(half)
    count = reading.count()
    assert count.estimated
    assert count.tokens[0] == 25
    assert count.tokens[1] >= 2


def test_absent_zero_and_empty() -> None:
    reading, _ = opened(CHAT)
    reading.begin(200, False, True)
    reading.feed(b'{"choices":[]}')
    assert reading.count() == Count(None, empty=True)
    reading, _ = opened(CHAT)
    assert read(reading, "openai_chat_empty.json")[0].empty
    reading, _ = opened(EMBED)
    assert not read(reading, "openai_embeddings.json")[0].empty
    reading, _ = opened(CHAT)
    reading.begin(200, False, False)
    reading.feed(b"\x1f\x8b")
    assert reading.count().units is None


@pytest.mark.parametrize(
    "body", [b"<html><h1>Sign in</h1></html>", b"", b"[1]", b'{"error": {"message": "no"}, "choices": [1]}']
)
def test_what_is_no_answer_of_a_model_is_nothing(body: bytes) -> None:
    reading, _ = opened(CHAT)
    reading.begin(200, False, True)
    reading.feed(body)
    assert reading.count() == Count(None, empty=True)


@pytest.mark.parametrize(
    "body", [b'{"choices": ["\xff"]}', b'{"choices": ' + b"[" * 5000 + b"]" * 5000 + b"}"]
)
def test_an_answer_that_cannot_be_read_is_absent(body: bytes) -> None:
    for events in (False, True):
        reading, _ = opened(CHAT, stream=events)
        reading.begin(200, events, True)
        data = (
            b"data: " + body[:-1] + b',"usage": {"prompt_tokens": 1}}\n\ndata: [DONE]\n\n' if events else body
        )
        reading.feed(data)
        assert reading.count() == Count(None)


@pytest.mark.parametrize(
    ("route", "body", "made"),
    [
        (CHAT, b'{"id":"x","choices":[{"message":{"content":"twelve bytes"}}]}', 3),
        (CHAT, b'{"choices":[{"text":"\xc3\xa9"}]}', 1),
        (MESSAGES, b'{"content":[{"type":"x","text":"seven b"}]}', 2),
        (EMBED, b'{"data":[{"embedding":[1,2]}]}', 0),
    ],
)
def test_an_answer_without_usage_is_estimated(route: RouteTerms, body: bytes, made: int) -> None:
    reading, _ = opened(route)
    reading.begin(200, False, True)
    reading.feed(body)
    count = reading.count()
    assert count.estimated
    assert count.tokens[1] == made
    assert count.units is not None
    assert 0 < count.units < reading.held


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{}", "bad_body"),
        (b"[]", "bad_body"),
        (b"not json", "bad_body"),
        (b"\xff", "bad_body"),
        (b'{"model": "\xff"}', "bad_body"),
        (b'{"model": ' + b"[" * 5000 + b"]" * 5000 + b"}", "bad_body"),
        (b'{"model": 3}', "bad_body"),
        (b'{"model": "stranger"}', "model_unknown"),
        (b'{"model": "small", "background": true}', "bad_body"),
    ],
)
def test_what_cannot_be_priced_is_refused(body: bytes, code: str) -> None:
    assert METER.open is not None
    with pytest.raises(Unmetered) as refused:
        METER.open(Request(CHAT, {"small": MODEL}, b"", body))
    assert refused.value.code == code


def test_the_body_is_written_anew_so_that_nobody_reads_another_model() -> None:
    assert METER.open is not None
    body = b'{"model": "vendor/dear", "model": "small"}'
    _, sent = METER.open(Request(CHAT, {"small": MODEL}, b"", body))
    assert sent == b'{"model":"small"}'
    _, renamed = METER.open(Request(CHAT, {"alias": ALIAS}, b"", b'{"model": "alias"}'))
    assert renamed == b'{"model":"vendor/real"}'


def test_the_hold_follows_what_is_asked() -> None:
    small = opened(CHAT, max_tokens=10)[0].held
    assert opened(CHAT, max_tokens=100)[0].held > small
    assert opened(CHAT, max_tokens=10, n=3)[0].held > small
    assert opened(CHAT)[0].held > opened(CHAT, max_completion_tokens=10)[0].held
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    with_image = opened(CHAT, max_tokens=10, messages=[{"role": "user", "content": [image]}])[0]
    assert with_image.tokens_held < 3000


@pytest.mark.parametrize(
    ("route", "part"),
    [
        (CHAT, {"type": "image_url", "image_url": {"url": "https://pictures.example/1.png"}}),
        (CHAT, {"type": "file", "file": {"file_id": "file-1"}}),
        (RESPONSES, {"type": "input_image", "file_id": "file-1"}),
        (MESSAGES, {"type": "image", "source": {"type": "url", "url": "https://pictures.example/1.png"}}),
        (MESSAGES, {"type": "image", "source": {"type": "base64", "data": "A" * 100_000}}),
    ],
)
def test_a_picture_is_held_for_wherever_it_is(route: RouteTerms, part: dict[str, object]) -> None:
    messages = [{"role": "user", "content": [{"type": "text", "text": "?"}, part]}]
    held = opened(route, max_tokens=10, messages=messages, input=messages)[0].tokens_held
    assert 2 * IMAGE_TOKENS < held < 2 * IMAGE_TOKENS + 300, "of two pictures"
