"""The stand-in of LiteLLM answers as the real proxy does, call by call.

Runs where ``REAL_LITELLM`` names a folder made by ``tests/services/litellm/install.sh``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from samples.relays.litellm import LiteLLM
from tests.samples.asgi import call
from tests.services import litellm
from tests.services.litellm import MASTER, RealLiteLLM
from tests.services.postgres import Postgres

pytestmark = [
    pytest.mark.skipif(litellm.folder() is None, reason="REAL_LITELLM names no real LiteLLM"),
    pytest.mark.timeout(240),
]
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


@pytest.fixture(scope="module")
def real(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealLiteLLM]:
    where = litellm.folder()
    assert where is not None
    proxy = RealLiteLLM(where, tmp_path_factory.mktemp("litellm"), postgres.create_database("litellm"))
    yield proxy
    proxy.stop()


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
    return {**shown, "blocked": bool(shown.get("blocked")), "key": body.get("key", "")[:12]}


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
