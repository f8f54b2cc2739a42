"""Language models through the gate: unmodified SDKs, streams, prices, and who leaves early."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import anthropic
import openai
import pytest

from tests.gate import models
from tests.gate.stage import RunningGate, Stage, problem, request, statuses
from tests.gate.upstream import JSON, ScriptedUpstream
from tollkeeper.core.charges import Outcome
from tollkeeper.core.terms import LimitTerms, RouteTerms


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, upstream: ScriptedUpstream) -> Stage:
    models.teach(upstream)
    return Stage(tmp_path_factory.mktemp("models"), upstream.port)


@pytest.fixture(scope="module")
def gate(stage: Stage) -> Iterator[RunningGate]:
    anything = RouteTerms("any", "/{rest...}")
    stage.publish(routes=(*models.ROUTES, anything), models=(*models.MODELS, models.NAMED))
    running = stage.run_gate()
    yield running
    running.stop()


def ask(key: bytes, path: str = "/v1/chat/completions", **body: object) -> bytes:
    raw = json.dumps({"model": "small", "messages": [{"role": "user", "content": "hi"}], **body}).encode()
    return request(
        key, path, "POST", b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(raw), raw
    )


def newcomer(stage: Stage, units: int = 10, **terms: object) -> tuple[int, bytes]:
    customer, key = stage.customer(units, **terms)
    time.sleep(0.4)
    return customer, key


def test_json_and_stream_cost_the_same(gate: RunningGate, stage: Stage, upstream: ScriptedUpstream) -> None:
    customer, key = newcomer(stage)
    assert statuses(gate.talk(ask(key))) == [200]
    answer = gate.talk(ask(key, stream=True))
    assert statuses(answer) == [200]
    assert b"data: [DONE]" in answer
    assert b'"choices":[]' not in answer
    assert b'"choices":[]' in gate.talk(ask(key, stream=True, stream_options={"include_usage": True}))
    assert json.loads(upstream.on("/v1/chat/completions")[-2].body)["stream_options"] == {
        "include_usage": True
    }
    for settled in stage.settled(customer):
        assert (settled.tokens_in, settled.tokens_out, settled.cache_read) == (3, 4, 16)
        assert settled.units == 3 + 16 + 2 * 4
        assert (settled.model, settled.estimated, settled.outcome) == ("small", False, Outcome.OK)


def test_a_client_of_http_1_0_gets_the_stream_without_chunks(gate: RunningGate, stage: Stage) -> None:
    _, key = newcomer(stage)
    answer = gate.talk(ask(key, stream=True).replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert answer.endswith(b"data: [DONE]\n\n<EOF>")
    assert b"chunked" not in answer


def test_a_chunked_request_is_gathered_and_priced(gate: RunningGate, stage: Stage) -> None:
    customer, key = newcomer(stage)
    raw = json.dumps({"model": "small", "messages": []}).encode()
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(raw), raw)
    sent = request(key, "/v1/chat/completions", "POST", b"Transfer-Encoding: chunked\r\n", body)
    assert statuses(gate.talk(sent + ask(key), slow=7)) == [200, 200]
    assert len(stage.settled(customer)) == 2


def test_refusals_speak_the_language_of_the_route(gate: RunningGate, stage: Stage) -> None:
    _, key = newcomer(stage, models=("small",))
    answer = gate.talk(ask(key, model="nothing"))
    assert statuses(answer) == [404]
    assert b'"type":"invalid_request_error"' in answer
    assert problem(gate.talk(ask(key, model="large"))) == "model_not_allowed"
    assert b'"type":"not_found_error"' in gate.talk(ask(key, "/v1/messages", model="nothing"))
    assert problem(gate.talk(ask(key).replace(b"Content-Type", b"Content-Encoding: gzip\r\nX"))) == (
        "encoding_not_supported"
    )
    listed = gate.talk(request(key, "/v1/models"))
    assert b'"id":"small"' in listed
    assert b'"id":"large"' not in listed


def test_a_spent_balance_is_told_as_that_api_does(gate: RunningGate, stage: Stage) -> None:
    stage.grant(77, 0)
    key = stage.add_key(77)
    time.sleep(0.4)
    answer = gate.talk(ask(key), wait_s=1)
    assert statuses(answer) == [429]
    assert b'"code":"insufficient_quota"' in answer
    assert b"X-Should-Retry: false" in answer
    answer = gate.talk(ask(key, "/v1/messages"), wait_s=1)
    assert statuses(answer) == [402]
    assert b'"type":"billing_error"' in answer


def test_outcomes_are_charged_by_the_table(gate: RunningGate, stage: Stage) -> None:
    customer, key = newcomer(stage)
    for words in ("please fail", "be empty", "break off"):
        messages = [{"role": "user", "content": words}]
        gate.talk(ask(key, messages=messages, stream=words == "break off"))
    assert [(Outcome(s.outcome), s.units) for s in stage.settled(customer)] == [
        (Outcome.CLIENT_ERROR, 0),
        (Outcome.EMPTY, 0),
        (Outcome.UPSTREAM_CUT, 0),
    ]


def test_absent_zero_and_estimated_are_three_things(gate: RunningGate, stage: Stage) -> None:
    customer, key = newcomer(stage)
    for words in ("be a page", "tell no usage", "be empty"):
        assert statuses(gate.talk(ask(key, messages=[{"role": "user", "content": words}]))) == [200]
    page, silent, empty = stage.settled(customer)
    assert (page.outcome, page.units, page.estimated) == (Outcome.EMPTY, 0, False), "not the whole hold"
    assert (silent.outcome, silent.tokens_out, silent.estimated) == (Outcome.OK, 5, True)
    assert 0 < silent.units < 1000
    assert (empty.outcome, empty.units) == (Outcome.EMPTY, 0)


def test_an_answer_that_no_meter_can_read_ends_its_call(
    gate: RunningGate, stage: Stage, upstream: ScriptedUpstream
) -> None:
    customer, key = newcomer(stage, 50, concurrency=1)
    bodies = [
        b'{"choices":[{"message":{"content":"\xff"}}]}',
        b'{"choices":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"choices":["x"],"usage":{"prompt_tokens":%d}}' % 10**30,
    ]
    upstream.scripts["/v1/embeddings"] = lambda c, seen: (
        c.sendall(JSON % len(bodies[0]) + bodies.pop(0)) is None
    )
    for _ in range(3):
        assert statuses(gate.talk(ask(key, "/v1/embeddings"))) == [200]
    models.teach(upstream)
    first, second, third = stage.settled(customer)
    assert first.units == second.units > 0, "as held"
    assert third.estimated
    assert b"\ntollkeeper_gate_calls_in_flight 0\n" in gate.page("/metrics")
    assert problem(gate.talk(ask(key, max_tokens=10**30), wait_s=3)) == "insufficient_quota"
    assert statuses(gate.talk(ask(key))) == [200]


def test_who_leaves_a_stream_is_charged_what_the_upstream_reports(gate: RunningGate, stage: Stage) -> None:
    customer, key = newcomer(stage)
    slowly = [{"role": "user", "content": "slowly"}]
    with socket.create_connection(("127.0.0.1", gate.port)) as connection:
        connection.sendall(ask(key, stream=True, messages=slowly))
        connection.recv(4096)
    time.sleep(1)
    [settled] = stage.settled(customer)
    assert (settled.outcome, settled.units) == (Outcome.CLIENT_LEFT_DURING, 27)
    assert not settled.estimated


def test_limits_on_tokens_are_held_and_corrected(gate: RunningGate, stage: Stage) -> None:
    _, key = newcomer(stage, limits=(LimitTerms("tokens", "tokens", 2500, 3600),))
    for _ in range(5):
        assert statuses(gate.talk(ask(key))) == [200]
    assert statuses(gate.talk(ask(key, max_tokens=2400))) == [429]


def test_billing_pages(gate: RunningGate, stage: Stage) -> None:
    _, key = newcomer(stage, 10)
    page = gate.talk(request(key, "/v1/dashboard/billing/subscription"))
    assert b'"hard_limit_usd":10' in page
    assert b'"total_usage":0' in gate.talk(request(key, "/v1/dashboard/billing/usage?start_date=x"))
    for path in ("/v1/dashboard/billing/credit_grants", "/dashboard/billing/credit_grants"):
        page = json.loads(gate.talk(request(key, path)).partition(b"\r\n\r\n")[2])
        assert (page["total_granted"], page["total_used"], page["total_available"]) == (10, 0, 10)
    assert b'"hard_limit_usd":10' in gate.talk(request(key, "/dashboard/billing/subscription"))


@pytest.mark.parametrize(
    "path", ["/v1/m%6Fdels", "/v1/models/", "/v1/models/vendor%2fn%61med:1", "/v1/usage/"]
)
def test_what_the_gate_answers_reaches_no_upstream(
    gate: RunningGate, stage: Stage, upstream: ScriptedUpstream, path: str
) -> None:
    _, key = newcomer(stage)
    answer = gate.talk(request(key, path), wait_s=1)
    assert statuses(answer) == [200]
    assert b'"id":"' in answer or b'"unit":"' in answer
    assert not upstream.on(path)


def test_the_openai_sdk_works_unmodified(gate: RunningGate, stage: Stage) -> None:
    customer, key = newcomer(stage)
    client = openai.OpenAI(api_key=key.decode(), base_url=f"http://127.0.0.1:{gate.port}/v1", max_retries=0)
    hello = [{"role": "user", "content": "hello"}]
    assert client.chat.completions.create(model="small", messages=hello).usage.prompt_tokens == 19
    chunks = list(client.chat.completions.create(model="small", messages=hello, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks).startswith("Hel")
    assert client.embeddings.create(model="small", input="x", encoding_format="float").usage.total_tokens == 8
    assert client.responses.create(model="small", input="x").usage.output_tokens == 87
    assert [model.id for model in client.models.list()] == ["small", "large", "vendor/named:1"]
    for name in ("small", "vendor/named:1"):
        assert client.models.retrieve(name).id == name
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nothing")
    narrow = client.with_options(api_key=stage.add_key(customer, models=("large",)).decode())
    time.sleep(0.4)
    assert [model.id for model in narrow.models.list()] == ["large"]
    with pytest.raises(openai.NotFoundError):
        narrow.models.retrieve("small")
    with pytest.raises(openai.PermissionDeniedError):
        narrow.chat.completions.create(model="small", messages=hello)
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="nothing", messages=hello)
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").chat.completions.create(model="small", messages=hello)
    assert len(stage.settled(customer)) == 4


def test_the_openai_sdk_retries_a_limit_and_not_a_spent_balance(
    gate: RunningGate, stage: Stage, upstream: ScriptedUpstream
) -> None:
    _, key = newcomer(stage, limits=(LimitTerms("second", "requests", 1, 1),))
    client = openai.OpenAI(api_key=key.decode(), base_url=f"http://127.0.0.1:{gate.port}/v1", max_retries=2)
    hello = [{"role": "user", "content": "hello"}]
    for _ in range(3):
        client.chat.completions.create(model="small", messages=hello)
    stage.grant(78, 0)
    poor = stage.add_key(78)
    time.sleep(0.4)
    with pytest.raises(openai.RateLimitError) as refused:
        client.with_options(api_key=poor.decode()).chat.completions.create(model="small", messages=hello)
    assert refused.value.code == "insufficient_quota"
    assert gate.page("/metrics").count(b'refusals_total{code="quota_spent"}') == 1


def test_the_anthropic_sdk_works_unmodified(gate: RunningGate, stage: Stage) -> None:
    customer, key = newcomer(stage)
    client = anthropic.Anthropic(
        api_key=key.decode(), base_url=f"http://127.0.0.1:{gate.port}", max_retries=0
    )
    hello = [{"role": "user", "content": "hello"}]
    assert [model.id for model in client.models.list()] == ["small", "large", "vendor/named:1"]
    assert client.models.retrieve("large").display_name == "large"
    answer = client.messages.create(model="small", max_tokens=50, messages=hello)
    assert answer.usage.output_tokens == 15
    with client.messages.stream(model="small", max_tokens=50, messages=hello) as stream:
        assert "".join(stream.text_stream) == "Hello!"
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="nothing", max_tokens=50, messages=hello)
    assert [s.tokens_out for s in stage.settled(customer)] == [15, 15]


def test_nothing_went_wrong_meanwhile(gate: RunningGate) -> None:
    assert '"level":"ERROR"' not in Path(gate.log).read_text()
