"""The stand-ins behave as the real relays do, traps included, and break when told to."""

from __future__ import annotations

from typing import Any

import pytest

from samples.relays.faults import DEEDS, Fault
from samples.relays.litellm import LiteLLM, token_of
from samples.relays.newapi import NewAPI
from samples.relays.openrouter import PAGE, OpenRouter
from samples.relays.relay import Relay
from tests.samples.asgi import Answer, call

ASK = {"model": "tern-1", "messages": [{"role": "user", "content": "Say: " + "word " * 40}]}


def bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


def admin(relay: Relay, method: str, path: str, body: Any = None) -> Answer:
    headers = bearer(relay.admin) | ({"new-api-user": str(relay.user)} if isinstance(relay, NewAPI) else {})
    return call(relay.app, method, path, headers=headers, body=body)


def chat(relay: Relay, secret: str, **changes: Any) -> Answer:
    return call(relay.app, "POST", relay.chat_paths[0], headers=bearer(secret), body={**ASK, **changes})


def make(relay: Relay, name: str = "shop-1-1", usd: float = 1.0) -> str:
    """Create a key as an operator would, and give its secret."""
    if isinstance(relay, LiteLLM):
        secret = f"sk-tollkeeper-key-{name}"
        body = {"key": secret, "key_alias": name, "max_budget": usd, "models": ["tern-1"]}
        answer = admin(relay, "POST", "/key/generate", body)
        assert answer.status == 200
        return str(answer.json()["key"])
    if isinstance(relay, NewAPI):
        limits = (
            {"models": "tern-1"} if relay.one else {"model_limits_enabled": True, "model_limits": "tern-1"}
        )
        quota = int(usd * relay.quota_per_unit)
        answer = admin(
            relay, "POST", "/api/token/", {"name": name, "remain_quota": quota, "expired_time": -1, **limits}
        )
        assert answer.json()["success"], answer.body
        if relay.one:
            return f"sk-{answer.json()['data']['key']}"
        found = admin(relay, "GET", f"/api/token/search?keyword={name}").json()["data"]["items"][0]
        return "sk-" + str(admin(relay, "POST", f"/api/token/{found['id']}/key").json()["data"]["key"])
    answer = admin(relay, "POST", "/api/v1/keys", {"name": name, "limit": usd})
    assert answer.status == 201
    return str(answer.json()["key"])


KINDS = [LiteLLM, NewAPI, lambda: NewAPI(one=True), OpenRouter]
IDS = ["litellm", "newapi", "oneapi", "openrouter"]


@pytest.fixture(params=KINDS, ids=IDS)
def relay(request: pytest.FixtureRequest) -> Relay:
    made: Relay = request.param()
    return made


def test_a_sold_key_works_and_costs(relay: Relay) -> None:
    secret = make(relay)
    assert chat(relay, secret).json()["usage"]["completion_tokens"] == 40
    (key,) = relay.keys.values()
    cost = -(-(chat(relay, secret).json()["usage"]["prompt_tokens"] * 500_000 + 40 * 1_500_000) // 1_000_000)
    assert key.used == 2 * cost


def test_other_forms_cost_the_same(relay: Relay) -> None:
    secret = make(relay)
    say = [{"role": "user", "content": "Say: hello"}]
    bodies = {"responses": {"input": "Say: hello"}, "messages": {"max_tokens": 50, "messages": say}}
    for path in relay.other_forms:
        body = {"model": "tern-1", **bodies[path.rpartition("/")[2]]}
        headers = {"authorization": f"Bearer {secret}"}
        assert call(relay.app, "POST", path, headers=headers, body=body).status == 200
        assert call(relay.app, "POST", path, headers={"authorization": "Bearer x"}, body=body).status == 401
    assert len({cost for _, _, cost in relay.calls}) == min(1, len(relay.other_forms))


def test_a_stream_costs_the_same(relay: Relay) -> None:
    secret = make(relay)
    chat(relay, secret)
    (key,) = relay.keys.values()
    once = key.used
    assert chat(relay, secret, stream=True).whole
    assert key.used == 2 * once


def test_nobody_manages_with_a_sold_key(relay: Relay) -> None:
    secret = make(relay)
    other = type(relay)() if not isinstance(relay, NewAPI) else NewAPI(one=relay.one)
    other.admin = secret
    before = len(relay.keys)
    for path in ("/key/generate", "/api/token/", "/api/v1/keys"):
        answer = call(
            relay.app, "POST", path, headers=bearer(secret) | {"new-api-user": "7"}, body={"name": "x"}
        )
        assert answer.status in (401, 404)
    assert len(relay.keys) == before


def test_an_unknown_key_is_refused(relay: Relay) -> None:
    assert chat(relay, "sk-nothing").status == 401


def test_the_cap_holds(relay: Relay) -> None:
    secret = make(relay, usd=0.0001)
    answers = [chat(relay, secret) for _ in range(3)]
    assert answers[0].status == 200
    assert answers[-1].status in (402, 403, 422)


@pytest.mark.parametrize("deed", ["cut_before", "html", "status", "error_200"])
def test_faults_before_leave_nothing(relay: Relay, deed: str) -> None:
    relay.faults.plan(Fault("create", deed))
    with pytest.raises((AssertionError, KeyError, StopIteration, ValueError)):
        make(relay)
    assert relay.keys == {}
    make(relay)
    assert len(relay.keys) == 1


@pytest.mark.parametrize("deed", ["cut_after", "html_after", "status_after"])
def test_faults_after_leave_a_key_nobody_was_told_of(relay: Relay, deed: str) -> None:
    relay.faults.plan(Fault("create", deed))
    with pytest.raises((AssertionError, KeyError, StopIteration, ValueError)):
        make(relay)
    assert len(relay.keys) == 1


def test_a_fault_waits_for_its_turn(relay: Relay) -> None:
    relay.faults.plan(Fault("create", "status", skip=1, times=2))
    make(relay, "a")
    for _ in range(2):
        with pytest.raises((AssertionError, KeyError, StopIteration, ValueError)):
            make(relay, "b")
    make(relay, "c")
    assert [key.name for key in relay.keys.values()] == ["a", "c"]


def test_forgotten_keys_are_gone(relay: Relay) -> None:
    relay.faults.plan(Fault("create", "forget"))
    if isinstance(relay, NewAPI) and not relay.one:
        with pytest.raises(IndexError):
            make(relay)
    else:
        assert chat(relay, make(relay)).status == 401
    assert relay.keys == {}


def test_a_bad_secret_looks_good_and_does_not_work(relay: Relay) -> None:
    relay.faults.plan(Fault("create", "bad_secret"))
    assert chat(relay, make(relay)).status == 401


def test_a_short_cap(relay: Relay) -> None:
    relay.faults.plan(Fault("create", "short_cap"))
    make(relay, usd=1.0)
    (key,) = relay.keys.values()
    assert key.cap == 500_000


def test_faults_over_http(relay: Relay) -> None:
    planned = call(relay.app, "PUT", "/_faults", body={"faults": [{"op": "create", "do": "twice"}]})
    assert planned.json() == {"planned": 1}
    wrong = call(relay.app, "PUT", "/_faults", body={"faults": [{"op": "create", "do": "explode"}]})
    assert wrong.status == 400
    assert "explode" in wrong.json()["error"]["message"]
    assert call(relay.app, "PUT", "/_faults", body={"faults": [{"when": 1}]}).status == 400
    assert call(relay.app, "GET", "/_state").json()["keys"] == []
    assert "cut_after" in DEEDS


def test_keys_expire_by_the_relay_s_clock(relay: Relay) -> None:
    secret = make(relay)
    (key,) = relay.keys.values()
    key.expires_at = relay.now() + 60
    assert chat(relay, secret).status == 200
    call(relay.app, "PUT", "/_clock", body={"offset_s": 61})
    assert chat(relay, secret).status == 401


# --- LiteLLM ---


def test_litellm_shows_spend_late() -> None:
    relay = LiteLLM()
    relay.spend_delay_s = 60
    secret = make(relay)
    chat(relay, secret)
    path = f"/key/info?key={token_of(secret)}"
    assert admin(relay, "GET", path).json()["info"]["spend"] == 0
    relay.offset_s += 61
    assert admin(relay, "GET", path).json()["info"]["spend"] > 0


def test_litellm_repeated_secret() -> None:
    body = {"key": "sk-tollkeeper-key-same", "key_alias": "b", "max_budget": 9.0}
    relay = LiteLLM()
    make(relay, "same", 1.0)
    echo = admin(relay, "POST", "/key/generate", body)
    assert (echo.status, echo.json()["max_budget"], echo.json()["key_alias"]) == (200, 9.0, "b")
    kept = admin(relay, "GET", "/key/info?key=sk-tollkeeper-key-same").json()["info"]
    assert (kept["max_budget"], kept["key_alias"]) == (1.0, "same")
    strict = LiteLLM(refuses_repeats=True)
    make(strict, "same", 1.0)
    assert admin(strict, "POST", "/key/generate", body).status == 400


def test_litellm_aliases_are_unique_and_unknown_fields_vanish() -> None:
    relay = LiteLLM()
    make(relay)
    again = admin(relay, "POST", "/key/generate", {"key": "sk-tollkeeper-other", "key_alias": "shop-1-1"})
    assert (again.status, again.json()["error"]["param"]) == (400, "key_alias")
    assert admin(relay, "POST", "/key/generate", {"key": "not-sk-tollkeeper-1"}).status == 400
    assert admin(relay, "POST", "/key/generate", {"key": "sk-short"}).status == 400
    loose = admin(relay, "POST", "/key/generate", {"max_buget": 1})
    assert (loose.status, loose.json()["max_budget"]) == (200, None), "a typing error is a key without a cap"
    assert admin(relay, "POST", "/key/generate", {"duration": "soon"}).status == 500


def test_litellm_key_life() -> None:
    relay = LiteLLM()
    secret = make(relay)
    assert chat(relay, secret, model="heron-1").json()["error"]["type"] == "key_model_access_denied"
    assert admin(relay, "POST", "/key/block", {"key": secret}).json()["blocked"] is True
    assert chat(relay, secret).status == 401
    admin(relay, "POST", "/key/unblock", {"key": token_of(secret)})
    assert chat(relay, secret).status == 200
    admin(relay, "POST", "/key/update", {"key": secret, "max_budget": 0.0})
    refused = chat(relay, secret)
    assert (refused.status, refused.json()["error"]["type"]) == (422, "budget_exceeded")
    listed = admin(relay, "GET", "/key/list?return_full_object=true&size=100").json()
    assert listed["total_count"] == 1
    assert secret not in str(listed)
    assert admin(relay, "POST", "/key/delete", {"keys": [secret]}).json() == {"deleted_keys": [secret]}
    gone = admin(relay, "GET", f"/key/info?key={secret}")
    assert (gone.status, gone.json()["info"]["status"]) == (200, "deleted"), "answered from an archive"
    assert admin(relay, "GET", "/key/info?key=sk-never-was-there").status == 404
    assert make(relay)


# --- New API, One API ---


def test_newapi_create_answers_no_id_and_lists_mask() -> None:
    relay = NewAPI()
    made = admin(relay, "POST", "/api/token/", {"name": "a", "remain_quota": 500_000})
    assert made.json() == {"success": True, "message": ""}
    (item,) = admin(relay, "GET", "/api/token/?p=1&size=100").json()["data"]["items"]
    assert "****" in item["key"]
    assert item["remain_quota"] == 500_000


def test_newapi_names_may_repeat() -> None:
    relay = NewAPI()
    relay.faults.plan(Fault("create", "twice"))
    admin(relay, "POST", "/api/token/", {"name": "a", "remain_quota": 1})
    assert admin(relay, "GET", "/api/token/search?keyword=a").json()["data"]["total"] == 2
    assert admin(relay, "GET", "/api/token/search?keyword=a%25").json()["data"]["total"] == 2
    assert admin(relay, "GET", "/api/token/search?keyword=b").json()["data"]["total"] == 0


def test_newapi_failure_is_a_200() -> None:
    relay = NewAPI()
    answer = admin(relay, "POST", "/api/token/", {"name": "x" * 51})
    assert (answer.status, answer.json()["success"]) == (200, False)
    assert admin(relay, "GET", "/api/token/99").json()["success"] is False


def test_newapi_wants_the_user_header() -> None:
    relay = NewAPI()
    answer = call(relay.app, "GET", "/api/token/", headers=bearer(relay.admin))
    assert (answer.status, answer.json()["code"]) == (401, "AUTH_USER_MISMATCH")
    assert (
        call(
            NewAPI(one=True).app, "GET", "/api/token/", headers={"authorization": "demo-newapi-token"}
        ).status
        == 200
    )


def test_newapi_put_writes_the_whole_object() -> None:
    relay = NewAPI()
    secret = make(relay, "a")
    chat(relay, secret)
    (key,) = relay.keys.values()
    used = key.used
    admin(relay, "PUT", "/api/token/", {"id": key.id, "name": "a", "remain_quota": 1_000_000})
    assert key.cap == used + 2_000_000
    assert key.models == (), "what was left out is gone"


def test_newapi_status_only() -> None:
    relay = NewAPI()
    secret = make(relay, "a")
    admin(relay, "PUT", "/api/token/?status_only=1", {"id": 1, "status": 2})
    assert chat(relay, secret).status == 401
    assert call(relay.app, "GET", "/api/usage/token/", headers=bearer(secret)).status == 401
    admin(relay, "PUT", "/api/token/?status_only=1", {"id": 1, "status": 1})
    shown = call(relay.app, "GET", "/api/usage/token/", headers=bearer(secret)).json()
    assert (shown["code"], shown["data"]["total_granted"]) == (True, 500_000)


def test_newapi_secrets_are_strictly_limited() -> None:
    relay = NewAPI()
    make(relay, "a")
    answers = [admin(relay, "POST", "/api/token/1/key").status for _ in range(relay.secrets_per_minute)]
    assert answers[-1] == 429


def test_newapi_wallet_pays_too() -> None:
    relay = NewAPI()
    secret = make(relay, "a")
    relay.wallet = 0
    answer = chat(relay, secret)
    assert (answer.status, answer.json()["error"]["code"]) == (403, "insufficient_user_quota")


def test_newapi_units_are_the_operator_s() -> None:
    relay = NewAPI(quota_per_unit=1_000)
    assert admin(relay, "GET", "/api/status").json()["data"]["quota_per_unit"] == 1_000
    make(relay, "a", usd=2.0)
    assert relay.keys[1].cap == 2_000_000


def test_a_fork_keeps_no_restrictions() -> None:
    relay = NewAPI(fork=True)
    make(relay, "a")
    (item,) = admin(relay, "GET", "/api/token/?p=1&size=10").json()["data"]["items"]
    assert item["model_limits_enabled"] is False


def test_oneapi_differs() -> None:
    relay = NewAPI(one=True)
    for number in range(12):
        make(relay, f"a{number:02}")
    assert len(admin(relay, "GET", "/api/token/?p=0").json()["data"]) == 10
    assert len(admin(relay, "GET", "/api/token/?p=1").json()["data"]) == 2
    assert len(admin(relay, "GET", "/api/token/search?keyword=a0").json()["data"]) == 10
    assert admin(relay, "POST", "/api/token/", {"name": "x" * 31}).json()["success"] is False
    secret = "sk-" + relay.keys[1].secret
    bill = call(relay.app, "GET", "/v1/dashboard/billing/subscription", headers=bearer(secret)).json()
    assert bill["hard_limit_usd"] == 1.0


# --- OpenRouter ---


def test_openrouter_shows_a_secret_once() -> None:
    relay = OpenRouter()
    secret = make(relay)
    (shown,) = admin(relay, "GET", "/api/v1/keys").json()["data"]
    assert secret not in str(shown)
    assert (shown["limit"], shown["limit_remaining"], shown["disabled"]) == (1.0, 1.0, False)
    own = call(relay.app, "GET", "/api/v1/key", headers=bearer(secret)).json()["data"]
    assert own["limit"] == 1.0


def test_openrouter_management_key_cannot_chat() -> None:
    relay = OpenRouter()
    assert chat(relay, relay.admin).status == 401


def test_openrouter_pages_and_disabled() -> None:
    relay = OpenRouter()
    for number in range(PAGE + 1):
        make(relay, f"k{number}")
    assert len(admin(relay, "GET", "/api/v1/keys").json()["data"]) == PAGE
    (last,) = admin(relay, "GET", f"/api/v1/keys?offset={PAGE}").json()["data"]
    admin(relay, "PATCH", f"/api/v1/keys/{last['hash']}", {"disabled": True})
    assert admin(relay, "GET", f"/api/v1/keys?offset={PAGE}").json()["data"] == []
    assert len(admin(relay, "GET", f"/api/v1/keys?offset={PAGE}&include_disabled=true").json()["data"]) == 1
    assert admin(relay, "DELETE", f"/api/v1/keys/{last['hash']}").json() == {"deleted": True}
    assert admin(relay, "GET", f"/api/v1/keys/{last['hash']}").status == 404


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "a", "limit": -1}, {"name": "a", "limt": 1}])
def test_openrouter_refuses_bad_fields(body: dict[str, Any]) -> None:
    assert admin(OpenRouter(), "POST", "/api/v1/keys", body).status == 400
