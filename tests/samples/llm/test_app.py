"""The LLM stand-in speaks both APIs, reports what it sent, and fails on demand."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest

from samples.llm import faults, text
from samples.llm.app import DEMO_KEY, LLM, make_app
from tests.samples.asgi import Answer, call

BEARER = {"authorization": f"Bearer {DEMO_KEY}"}
ASK = {"model": "tern-1", "messages": [{"role": "user", "content": "Say: one two, three"}]}
CLAUDE = {
    "model": "heron-1",
    "max_tokens": 50,
    "messages": [{"role": "user", "content": "Say: one two, three"}],
}


def post(path: str, body: Any, fault: str = "", app: Any = None) -> Answer:
    headers = BEARER | ({faults.HEADER: fault} if fault else {})
    return call(app or make_app(DEMO_KEY), "POST", path, headers=headers, body=body)


def events(answer: Answer) -> list[Any]:
    lines = [line[6:] for line in answer.body.decode().splitlines() if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def chunks(**changes: Any) -> list[Any]:
    return events(post("/v1/chat/completions", {**ASK, "stream": True, **changes}))


def test_a_whole_answer_and_its_usage() -> None:
    body = post("/v1/chat/completions", ASK).json()
    assert body["choices"][0]["message"]["content"] == "one two, three"
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["completion_tokens"] == 4
    assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + 4


def test_a_stream_says_the_same_as_the_whole() -> None:
    found = chunks(stream_options={"include_usage": True})
    assert found[-1] == "[DONE]"
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in found[:-2]) == "one two, three"
    assert found[-2]["choices"] == []
    assert found[-2]["usage"] == post("/v1/chat/completions", ASK).json()["usage"]
    assert all(chunk["usage"] is None for chunk in found[:-2])


def test_a_stream_without_include_usage_never_mentions_it() -> None:
    assert all("usage" not in chunk for chunk in chunks()[:-1])


def test_an_answer_may_be_cut_short() -> None:
    body = post("/v1/chat/completions", {**ASK, "max_tokens": 2}).json()
    assert body["choices"][0]["message"]["content"] == "one two"
    assert body["choices"][0]["finish_reason"] == "length"
    assert post("/v1/messages", {**CLAUDE, "max_tokens": 2}).json()["stop_reason"] == "max_tokens"
    response = post(
        "/v1/responses", {"model": "tern-1", "input": "Say: a b c", "max_output_tokens": 1}
    ).json()
    assert response["status"] == "incomplete"


def test_anthropic_counts_in_disjoint_buckets() -> None:
    plain = post("/v1/messages", CLAUDE).json()["usage"]
    cached = post("/v1/messages", CLAUDE, "cached=3,written=2").json()["usage"]
    assert cached["cache_read_input_tokens"] == 3
    assert cached["cache_creation_input_tokens"] == 2
    assert cached["input_tokens"] == plain["input_tokens"] - 5


def test_anthropic_stream() -> None:
    found = events(post("/v1/messages", {**CLAUDE, "stream": True}))
    kinds = [event["type"] for event in found]
    assert kinds[:3] == ["message_start", "content_block_start", "ping"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert found[0]["message"]["usage"]["input_tokens"] > 0
    assert found[-2]["usage"]["output_tokens"] == 4


def test_responses_stream_ends_with_the_whole() -> None:
    ask = {
        "model": "tern-1",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "Say: a b"}]}],
    }
    found = events(post("/v1/responses", {**ask, "stream": True}))
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert found[-1]["type"] == "response.completed"
    assert found[-1]["response"] == post("/v1/responses", ask).json()
    assert found[-1]["response"]["usage"]["output_tokens"] == 2


def test_embeddings_in_both_encodings() -> None:
    ask = {"model": "wren-embed-1", "input": ["a", "b"], "dimensions": 4}
    floats = post("/v1/embeddings", ask).json()
    packed = post("/v1/embeddings", {**ask, "encoding_format": "base64"}).json()
    values = struct.unpack("<4f", base64.b64decode(packed["data"][1]["embedding"]))
    assert values == pytest.approx(floats["data"][1]["embedding"], abs=1e-6)
    assert floats["usage"] == {"prompt_tokens": 2, "total_tokens": 2}


@pytest.mark.parametrize(
    ("path", "body", "status", "kind"),
    [
        ("/v1/chat/completions", {**ASK, "model": "none"}, 404, "invalid_request_error"),
        ("/v1/chat/completions", {**ASK, "model": "wren-embed-1"}, 400, "invalid_request_error"),
        ("/v1/chat/completions", {**ASK, "messages": []}, 400, "invalid_request_error"),
        ("/v1/chat/completions", {**ASK, "max_tokens": 0}, 400, "invalid_request_error"),
        ("/v1/chat/completions", {**ASK, "stream_options": {}}, 400, "invalid_request_error"),
        ("/v1/chat/completions", b"{", 400, "invalid_request_error"),
        ("/v1/chat/completions", [], 400, "invalid_request_error"),
        ("/v1/messages", {**CLAUDE, "max_tokens": None}, 400, "invalid_request_error"),
        ("/v1/messages", {**CLAUDE, "model": "none"}, 404, "not_found_error"),
        ("/v1/embeddings", {"model": "wren-embed-1", "input": []}, 400, "invalid_request_error"),
        (
            "/v1/responses",
            {"model": "tern-1", "input": "x", "background": True},
            400,
            "invalid_request_error",
        ),
    ],
)
def test_refusals_in_the_form_of_each_api(path: str, body: Any, status: int, kind: str) -> None:
    answer = post(path, body)
    assert answer.status == status
    assert answer.json()["error"]["type"] == kind


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer x"}, {"x-api-key": DEMO_KEY[:-1]}])
def test_only_the_holder_of_the_key(headers: dict[str, str]) -> None:
    answer = call(make_app(DEMO_KEY), "POST", "/v1/chat/completions", headers=headers, body=ASK)
    assert answer.status == 401
    assert call(make_app(DEMO_KEY), "GET", "/v1/models", headers={"x-api-key": DEMO_KEY}).status == 200


STREAM = {**ASK, "stream": True, "stream_options": {"include_usage": True}}


@pytest.mark.parametrize("pieces", [0, 1, 3, 6])
def test_cut_breaks_the_connection(pieces: int) -> None:
    answer = post("/v1/chat/completions", STREAM, f"cut={pieces}")
    assert not answer.whole
    assert len(answer.parts) == pieces


def test_cut_after_the_end_of_the_text_still_breaks() -> None:
    assert not post("/v1/chat/completions", STREAM, "cut=99").whole


def test_an_error_in_the_middle_ends_the_stream() -> None:
    answer = post("/v1/chat/completions", STREAM, "error_event=2")
    assert answer.whole
    found = events(answer)
    assert len(found) == 3
    assert found[-1]["error"]["type"] == "server_error"
    last = events(post("/v1/messages", {**CLAUDE, "stream": True}, "error_event=4"))[-1]
    assert last["type"] == "error"


def test_knobs_on_usage() -> None:
    assert "usage" not in post("/v1/chat/completions", ASK, "no_usage").json()
    assert post("/v1/chat/completions", ASK, "zero_usage").json()["usage"]["total_tokens"] == 0
    assert events(post("/v1/chat/completions", STREAM, "null_choices"))[-2]["choices"] is None
    assert events(post("/v1/chat/completions", STREAM, "no_final"))[-1] != "[DONE]"
    reasoned = post("/v1/chat/completions", ASK, "reasoning=7").json()["usage"]
    assert reasoned["completion_tokens"] == 11
    assert reasoned["completion_tokens_details"]["reasoning_tokens"] == 7


def test_other_knobs() -> None:
    empty = post("/v1/chat/completions", ASK, "empty").json()
    assert empty["choices"][0]["message"]["content"] == ""
    assert empty["usage"]["completion_tokens"] == 0
    assert post("/v1/messages", CLAUDE, "empty").json()["content"] == []
    assert post("/v1/chat/completions", ASK, "html").headers["content-type"].startswith("text/html")
    failed = post("/v1/messages", CLAUDE, "status=529,retry_after=3")
    assert (failed.status, failed.headers["retry-after"]) == (529, "3")
    assert failed.json()["error"]["type"] == "overloaded_error"


def test_a_knob_that_does_not_exist_is_refused() -> None:
    answer = post("/v1/chat/completions", ASK, "cutt=3")
    assert answer.status == 400
    assert "cutt" in answer.json()["error"]["message"]
    assert post("/v1/chat/completions", ASK, "cut=soon").status == 400


def test_knobs_for_all_calls() -> None:
    llm = LLM(DEMO_KEY)
    assert call(llm.app, "PUT", "/_faults", body={"faults": "status=503"}).status == 200
    assert post("/v1/chat/completions", ASK, app=llm.app).status == 503
    call(llm.app, "PUT", "/_faults", body={"faults": ""})
    assert post("/v1/chat/completions", ASK, app=llm.app).status == 200


@pytest.mark.parametrize(
    "words", ["", "hello", "Hello, world!  Two", "价格是 12 元。", "a_b-c\n\td", "naïve café"]
)
def test_tokens_joined_are_the_text(words: str) -> None:
    assert "".join(text.tokenize(words)) == words.rstrip()


def test_answers_follow_from_the_prompt_alone() -> None:
    assert text.write("tern-1", "why?") == text.write("tern-1", "why?")
    assert text.write("tern-1", "why?") != text.write("heron-1", "why?")
    assert text.count(text.write("tern-1", "why?").text) == len(text.write("tern-1", "why?").tokens)
