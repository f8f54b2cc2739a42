"""The stand-in of LiteLLM answers as the real proxy does, call by call.

Runs where ``REAL_LITELLM`` names a folder made by ``tests/services/litellm/install.sh``.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from samples.relays.litellm import LiteLLM
from tests.samples.asgi import call
from tests.services import litellm
from tests.services.litellm import MASTER, RealLiteLLM
from tests.services.postgres import Postgres
from tollkeeper.core.terms import TargetTerms
from tollkeeper.delivery.provisioners import Door, Missing, Pushed, Reply, Wish
from tollkeeper.delivery.provisioners import litellm as connectors

pytestmark = [
    pytest.mark.skipif(litellm.folder() is None, reason="REAL_LITELLM names no real LiteLLM"),
    pytest.mark.timeout(240),
]
PUSH = "only-the-two-of-them-know"
WORDS = "Say: " + "word " * 300
FIELDS = (
    "key_alias",
    "max_budget",
    "models",
    "blocked",
    "key_name",
    "metadata",
    "budget_duration",
    "rpm_limit",
)


class Ear(ThreadingHTTPServer):
    """Hears budget alerts: address, headers and body of each."""

    def __init__(self) -> None:
        heard: list[tuple[str, dict[str, str], bytes]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                heard.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(200)
                self.end_headers()

        super().__init__(("127.0.0.1", 0), Handler)
        self.heard = heard
        threading.Thread(target=self.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def ear() -> Iterator[Ear]:
    server = Ear()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def real(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory, ear: Ear) -> Iterator[RealLiteLLM]:
    where = litellm.folder()
    assert where is not None
    webhook = f"http://127.0.0.1:{ear.server_port}/hooks/relays/relay?secret={PUSH}"
    home, database = tmp_path_factory.mktemp("litellm"), postgres.create_database("litellm")
    proxy = RealLiteLLM(where, home, database, webhook)
    yield proxy
    proxy.stop()


def connector(real: RealLiteLLM) -> Any:
    def ask(method: str, url: str, *, headers: Any, body: Any = None, query: Any = None) -> Reply:
        answer = requests.request(method, url, headers=headers, json=body, params=query, timeout=20)
        return Reply(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.content)

    target = TargetTerms("relay", "litellm", real.url, "X", resale_allowed=True)
    return connectors.build(Door(lambda: dt.datetime.now(dt.UTC), target, MASTER, ask, push_secret=PUSH))


def wish(label: str, **more: Any) -> Wish:
    made = Wish(
        label, f"sk-tollkeeper-{label}-chosen", "usd", cap=5_000_000, models=("tern-1",),
        ends_at=dt.datetime.now(dt.UTC) + dt.timedelta(days=30),
        requests_per_minute=60, tokens_per_minute=40_000, concurrency=8,
    )  # fmt: skip
    return replace(made, **more)


@pytest.fixture(scope="module")
def stand_in() -> LiteLLM:
    return LiteLLM(MASTER)


def both(
    real: RealLiteLLM, stand_in: LiteLLM, method: str, path: str, key: str, body: Any
) -> tuple[Any, Any]:
    headers = {"authorization": f"Bearer {key}"}
    theirs = requests.request(method, real.url + path, headers=headers, json=body, timeout=20)
    ours = call(stand_in.app, method, path, headers=headers, body=body)
    return (theirs.status_code, theirs.json()), (ours.status, ours.json())


KEY = "sk-tollkeeper-compared-1"
CHAT = {"model": "tern-1", "messages": [{"role": "user", "content": "Say: hello"}]}
STEPS: list[tuple[str, str, str, str, Any]] = [
    ("generate", "POST", "/key/generate", MASTER,
     {"key": KEY, "key_alias": "a-1", "max_budget": 0.0011, "models": ["tern-1"], "metadata": {"line": 1}}),
    ("generate with a repeated secret", "POST", "/key/generate", MASTER,
     {"key": KEY, "key_alias": "a-2", "max_budget": 9.0}),
    ("the first row stays", "GET", f"/key/info?key={KEY}", MASTER, None),
    ("generate with a repeated alias", "POST", "/key/generate", MASTER,
     {"key": f"{KEY}-b", "key_alias": "a-1"}),
    ("generate with a short secret", "POST", "/key/generate", MASTER, {"key": "sk-short"}),
    ("generate with a bad prefix", "POST", "/key/generate", MASTER, {"key": "tollkeeper-compared-1"}),
    ("generate with an unknown field", "POST", "/key/generate", MASTER, {"max_buget": 1, "key_alias": "a-3"}),
    ("generate with a bad duration", "POST", "/key/generate", MASTER, {"duration": "soon"}),
    ("generate by a stranger", "POST", "/key/generate", "sk-nobody-at-all-here", {}),
    ("info of nothing", "GET", "/key/info?key=sk-nobody-at-all-here", MASTER, None),
    ("info of oneself", "GET", "/key/info", KEY, None),
    ("chat", "POST", "/v1/chat/completions", KEY, CHAT),
    ("chat with a model not allowed", "POST", "/v1/chat/completions", KEY, {**CHAT, "model": "heron-1"}),
    ("chat by a stranger", "POST", "/v1/chat/completions", "sk-nobody-at-all-here", CHAT),
    ("block", "POST", "/key/block", MASTER, {"key": KEY}),
    ("chat when blocked", "POST", "/v1/chat/completions", KEY, CHAT),
    ("unblock", "POST", "/key/unblock", MASTER, {"key": KEY}),
    ("chat when unblocked", "POST", "/v1/chat/completions", KEY, CHAT),
    ("update to nothing", "POST", "/key/update", MASTER, {"key": KEY, "max_budget": 0}),
    ("chat without a budget", "POST", "/v1/chat/completions", KEY, CHAT),
    ("update to much", "POST", "/key/update", MASTER, {"key": KEY, "max_budget": 5.0}),
    ("update of nothing", "POST", "/key/update", MASTER, {"key": "sk-nobody-at-all-here", "max_budget": 1}),
    ("list by alias", "GET", "/key/list?size=10&key_alias=a-1", MASTER, None),
    ("delete", "POST", "/key/delete", MASTER, {"keys": [KEY]}),
    ("chat when deleted", "POST", "/v1/chat/completions", KEY, CHAT),
    ("info of what was deleted", "GET", f"/key/info?key={KEY}", MASTER, None),
    ("delete again", "POST", "/key/delete", MASTER, {"keys": [KEY]}),
]  # fmt: skip


def facts(body: Any) -> Any:
    """What a connector may rely on in an answer."""
    if "error" in body:
        return {"type": body["error"]["type"], "param": body["error"]["param"] in (None, "None")}
    if "choices" in body:
        return {"text": body["choices"][0]["message"]["content"], "total": body["usage"]["total_tokens"]}
    if "deleted_keys" in body or "total_count" in body:
        return {
            name: value for name, value in body.items() if name in ("deleted_keys", "keys", "total_count")
        }
    found = body.get("info", body)
    shown = {name: found.get(name) for name in FIELDS if name in found}
    gone = bool(found.get("deleted_at"))
    return {**shown, "blocked": bool(shown.get("blocked")), "key": body.get("key", "")[:12], "gone": gone}


def test_the_whole_life_of_a_key(real: RealLiteLLM, stand_in: LiteLLM) -> None:
    wrong = []
    for name, method, path, key, body in STEPS:
        (their_status, theirs), (our_status, ours) = both(real, stand_in, method, path, key, body)
        mine, real_facts = facts(ours), facts(theirs)
        if "error" in theirs and "error" in ours:
            mine, real_facts = mine["type"], real_facts["type"]
        if name == "generate with an unknown field":
            mine = real_facts = "a key with a random secret"
        if (our_status, mine) != (their_status, real_facts):
            wrong.append(f"{name}: real {their_status} {real_facts}, stand-in {our_status} {mine}")
    assert wrong == []


def test_spend_shows_up_late(real: RealLiteLLM) -> None:
    headers = {"authorization": f"Bearer {MASTER}"}
    made = requests.post(
        f"{real.url}/key/generate", headers=headers, json={"max_budget": 1.0}, timeout=20
    ).json()
    ask = {**CHAT, "messages": [{"role": "user", "content": WORDS}]}
    used = {"authorization": f"Bearer {made['key']}"}
    requests.post(f"{real.url}/v1/chat/completions", headers=used, json=ask, timeout=20).raise_for_status()
    seen = []
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (seen and seen[-1]):
        shown = requests.get(f"{real.url}/key/info?key={made['key']}", headers=headers, timeout=20).json()
        seen.append(shown["info"]["spend"])
        time.sleep(0.25)
    assert seen[0] == 0, "at once it is not there yet"
    assert seen[-1] == pytest.approx(0.0006025)


def test_the_connector_makes_raises_stops_and_forgets_a_key(real: RealLiteLLM) -> None:
    ours = connector(real)
    assert ours.probe().unit == "USD"
    asked = wish("tkreal-1-1")
    handed = ours.provide(asked)
    again = ours.provide(asked)
    assert (again.handle, again.adopted) == (handed.handle, True)
    assert ours.differs(ours.read(handed.handle), asked) == ()
    more = replace(asked, cap=9_000_000, models=("tern-1", "heron-1"), concurrency=4)
    seen = ours.renew(handed.handle, more)
    assert ours.differs(seen, more) == ()
    assert (seen.tokens_per_minute, seen.concurrency, seen.requests_per_minute) == (40_000, 4, 60)
    chat = {"headers": {"authorization": f"Bearer {handed.secret}"}, "json": CHAT, "timeout": 20}
    assert requests.post(f"{real.url}/v1/chat/completions", **chat).status_code == 200
    assert not ours.suspend(handed.handle).enabled
    assert requests.post(f"{real.url}/v1/chat/completions", **chat).status_code == 401
    assert ours.resume(handed.handle).enabled
    assert [one.label for one in ours.list("tkreal-")] == ["tkreal-1-1"]
    ours.forget(handed.handle)
    assert list(ours.list("tkreal-")) == []
    with pytest.raises(Missing):
        ours.read(handed.handle)


def test_a_budget_alert_of_the_real_proxy_is_known_and_names_the_key(real: RealLiteLLM, ear: Ear) -> None:
    ours = connector(real)
    handed = ours.provide(wish("tkreal-2-1", cap=1_000))
    ask = {**CHAT, "messages": [{"role": "user", "content": WORDS}]}
    headers = {"authorization": f"Bearer {handed.secret}"}
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any(handed.handle.encode() in body for *_, body in ear.heard):
        requests.post(f"{real.url}/v1/chat/completions", headers=headers, json=ask, timeout=20)
        time.sleep(0.25)
    said = [
        ours.pushed(headers, body, parse_qs(urlsplit(path).query)["secret"][0])
        for path, headers, body in ear.heard
    ]
    assert (Pushed(handed.handle),) in [one.keys for one in said]
