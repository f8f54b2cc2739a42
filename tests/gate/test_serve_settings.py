"""Settings of the shop: origins, certificates, several upstreams, a suspended shop, meters of contents."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.gate.stage import ROUTES, Stage, free_port, problem, request, statuses
from tests.gate.upstream import JSON, ScriptedUpstream
from tollkeeper.core.terms import MICRO, RouteTerms, UpstreamTerms

NewStage = Callable[[], Stage]


def test_browsers_of_allowed_origins_may_read(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.publish(cors_origins=("https://app.example",))
    _, key = stage.customer(10)
    gate = stage.run_gate()
    ask = b"Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n"
    preflight = gate.talk(b"OPTIONS /n HTTP/1.1\r\nHost: x\r\n" + ask + b"\r\n")
    assert statuses(preflight) == [204]
    assert b"Access-Control-Allow-Origin: https://app.example" in preflight
    assert b"Access-Control-Allow-Methods: " in preflight
    assert b"authorization" in preflight.lower()
    for text, code in ((key, 200), (b"wrong", 401)):
        answer = gate.talk(request(text, "/n", fields=b"Origin: https://app.example\r\n"))
        assert statuses(answer) == [code]
        assert b"Access-Control-Allow-Origin: https://app.example" in answer
        assert b"Vary: Origin" in answer
    other = gate.talk(request(key, "/n", fields=b"Origin: https://evil.example\r\n"))
    assert b"Access-Control-Allow-Origin" not in other


def test_tls(new_stage: NewStage, tmp_path: Path) -> None:
    stage = new_stage()
    stage.publish()
    _, key = stage.customer(10)
    certificate, private_key = tmp_path / "c.pem", tmp_path / "k.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
    subprocess.run(
        [*command, "-out", str(certificate), "-keyout", str(private_key)], check=True, capture_output=True
    )
    gate = stage.run_gate(TOLLKEEPER_GATE_TLS_CERT=str(certificate), TOLLKEEPER_GATE_TLS_KEY=str(private_key))
    context = ssl.create_default_context(cafile=str(certificate))
    with context.wrap_socket(
        socket.create_connection(("127.0.0.1", gate.port)), server_hostname="localhost"
    ) as s:
        s.settimeout(2)
        s.sendall(request(key, "/n") + request(b"wrong", "/n", fields=b"Connection: close\r\n"))
        answer = b""
        while data := s.recv(65536):
            answer += data
    assert statuses(answer) == [200, 401]


def test_weights_and_failover_between_upstreams(new_stage: NewStage, upstream: ScriptedUpstream) -> None:
    stage = new_stage()
    second = ScriptedUpstream()
    address = "http://127.0.0.1:{}"
    stage.publish(
        upstreams=(
            UpstreamTerms("main", address.format(upstream.port), weight=3),
            UpstreamTerms("main", address.format(second.port), weight=1),
            UpstreamTerms("gone", address.format(free_port())),
            UpstreamTerms("gone", address.format(second.port)),
        )
    )
    _, key = stage.customer(100)
    gate = stage.run_gate()
    before = len(upstream.on("/w"))
    assert statuses(gate.talk(request(key, "/w") * 20)) == [200] * 20
    assert (len(upstream.on("/w")) - before, len(second.on("/w"))) == (15, 5)
    posts = request(key, "/gone") * 10
    assert statuses(gate.talk(posts)) == [200] * 10, "what never left is sent to the next"
    assert len(second.on("/gone")) == 10


def test_a_suspended_shop_and_a_snapshot_that_cannot_be_used(new_stage: NewStage) -> None:
    stage = new_stage()
    stage.publish()
    _, key = stage.customer(100)
    gate = stage.run_gate()
    stage.publish(suspended=True)
    time.sleep(0.6)
    assert problem(gate.talk(request(key, "/n"))) == "shop_suspended"
    stage.publish(routes=(RouteTerms("bad", "/x{y}"),))
    time.sleep(0.6)
    assert b"must fill a whole segment" in gate.page("/readyz")
    assert problem(gate.talk(request(key, "/n"))) == "shop_suspended", "the last good snapshot stays"
    stage.publish()
    time.sleep(0.6)
    assert statuses(gate.talk(request(key, "/n"))) == [200]
    assert b"ready" in gate.page("/readyz")


def test_a_missing_credential_of_an_upstream_fails_readiness(
    new_stage: NewStage, upstream: ScriptedUpstream
) -> None:
    stage = new_stage()
    stage.publish()
    gate = stage.run_gate()
    address = f"http://127.0.0.1:{upstream.port}"
    stage.publish(
        upstreams=(UpstreamTerms("main", address, credential="NOT_SET_ANYWHERE"),), routes=ROUTES[:3]
    )
    time.sleep(0.6)
    assert b"NOT_SET_ANYWHERE" in gate.page("/readyz")


def test_items_and_traffic_are_charged_by_what_came(new_stage: NewStage, upstream: ScriptedUpstream) -> None:
    stage = new_stage()
    stage.publish(
        routes=(
            RouteTerms("posts", "/posts", meter="items", cost=MICRO),
            RouteTerms("file", "/file", meter="traffic", cost=MICRO),
        )
    )
    body = b'{"posts": [1, 2, 3]}'
    upstream.scripts["/posts"] = lambda c, seen: c.sendall(JSON % len(body) + body) is None
    upstream.scripts["/file"] = lambda c, seen: c.sendall(JSON % 3000 + b"x" * 3000) is None
    customer, key = stage.customer(500)
    gate = stage.run_gate()
    fields = b"Accept-Encoding: gzip\r\n"
    assert (
        statuses(gate.talk(request(key, "/posts?limit=10", fields=fields) + request(key, "/file")))
        == [200] * 2
    )
    assert [s.units // MICRO for s in stage.settled(customer)] == [3, 3]
    assert b"gzip" not in upstream.on("/posts")[0].head
