"""Agents by the Data Rights Protocol: they may ask, the person confirms, the answer goes to the person."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.models import User
from tollkeeper.catalog.services import load_shop
from tollkeeper.flows import agent_requests as flow
from tollkeeper.flows import subject_request
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit import job_runner
from tollkeeper.kit.models import Job
from tollkeeper.privacy import choices, mandates
from tollkeeper.privacy.models import Copy, Request

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])
KEY = Ed25519PrivateKey.generate()
OTHER = Ed25519PrivateKey.generate()
PATH = "/v1/data-rights-request/"


@pytest.fixture(autouse=True)
def shop(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")
    folder = tmp_path / "shop"
    folder.mkdir()
    for path in settings.SHOP.iterdir():
        (folder / path.name).symlink_to(path)
    keys = {"AGENT": KEY, "RIVAL": OTHER}
    raw = {name: key.public_key().public_bytes_raw() for name, key in keys.items()}
    listed = {"AGENT": raw["AGENT"].hex(), "RIVAL": base64.b64encode(raw["RIVAL"]).decode()}
    text = 'business_id = "SHOP"\n' + "".join(
        f'[agents.{name}]\nname = "{name} Inc."\nverify_key = "{key}"\n' for name, key in listed.items()
    )
    (folder / "agents.toml").write_text(text)
    monkeypatch.setattr(settings, "SHOP", folder)


@pytest.fixture
def ada() -> User:
    return accounts.create_person("ada@example.org", None)


def message(key: Ed25519PrivateKey = KEY, **said: Any) -> bytes:
    now = timezone.now()
    body = {
        "agent-id": "AGENT", "business-id": "SHOP", "issued-at": now.isoformat(),
        "expires-at": (now + dt.timedelta(minutes=15)).isoformat(), "drp.version": "1.0",
        "exercise": "access", "regime": "ccpa", "email": "ada@example.org", "email_verified": True, **said,
    }  # fmt: skip
    raw = json.dumps(body).encode()
    return base64.b64encode(key.sign(raw) + raw)


def post(body: bytes, path: str = PATH, token: str = "") -> Any:
    token = token or flow.token_of(flow.register().agents["AGENT"])
    return Client().post(path, body, content_type="text/plain", headers={"Authorization": f"Bearer {token}"})


def work(*kinds: str) -> None:
    while context := job_runner.claim(list(kinds or ("mail_request", "build_copy", "mail_copy_ready"))):
        assert job_runner.run(context) == "done"


def test_a_token_is_given_to_who_holds_the_key() -> None:
    given = Client().post("/v1/agent/AGENT", message(), content_type="text/plain").json()
    assert given["agent-id"] == "AGENT"
    headers = {"Authorization": f"Bearer {given['token']}"}
    assert Client().get("/v1/agent/AGENT", headers=headers).json() == {}
    assert Client().get("/v1/agent/RIVAL", headers=headers).status_code == 403
    assert Client().post("/v1/agent/AGENT", message(OTHER), content_type="text/plain").status_code == 403
    assert Client().post("/v1/agent/NOBODY", message(), content_type="text/plain").status_code == 403


def test_keys_are_read_in_base_64_too() -> None:
    rival = flow.register().agents["RIVAL"]
    assert rival.verify_key == OTHER.public_key().public_bytes_raw().hex()


def test_each_status_repeats_the_agents_own_id(ada: User) -> None:
    told = post(message(**{"agent-request-id": "their-7:b"})).json()
    assert told["agent_request_id"] == "their-7:b"
    agent = flow.register().agents["AGENT"]
    assert flow.status(agent, told["request_id"])["agent_request_id"] == "their-7:b"
    assert "agent_request_id" not in post(message()).json()
    for personal in ("ada@example.org", "a" * 65, 7):
        assert post(message(**{"agent-request-id": personal})).status_code == 400


def test_an_agent_asks_the_person_confirms_and_is_answered_alone(ada: User, mailoutbox: list[Any]) -> None:
    told = post(message()).json()
    assert told["status"] == "in_progress"
    number = told["request_id"]
    work()
    assert Request.objects.get(number=number).channel == "agent"
    assert "AGENT" in mailoutbox[0].body
    assert mailoutbox[0].to == ["ada@example.org"]
    status = flow.status(flow.register().agents["AGENT"], number)
    assert status["reason"] == "need_user_verification"
    link = re.search(r"https?://[^/]+(/privacy/request/\S+)", mailoutbox[0].body)
    assert link
    assert link[1].split("/")[-2] not in json.dumps(status), "the agent never holds the person's link"
    client = Client()
    assert "act for you" in client.get(link[1]).content.decode()
    client.post(link[1], {"act": "agent_yes"})
    row = Request.objects.get(number=number)
    assert (row.level, Copy.objects.count()) == (1, 0), "an account still asks for more than the address"
    client.post(link[1], {"act": "fact", "fact": "x"})
    subject_request.show_sign_in(number, ada.pk)
    work()
    assert flow.status(flow.register().agents["AGENT"], number)["status"] == "fulfilled"
    assert "results_url" not in flow.status(flow.register().agents["AGENT"], number)


def test_a_person_who_sent_nobody_ends_it(ada: User, mailoutbox: list[Any]) -> None:
    number = post(message(exercise="deletion")).json()["request_id"]
    work()
    link = re.search(r"https?://[^/]+(/privacy/request/\S+)", mailoutbox[0].body)
    assert link
    Client().post(link[1], {"act": "agent_no"})
    ada.refresh_from_db()
    assert ada.is_active
    assert flow.status(flow.register().agents["AGENT"], number)["status"] == "revoked"


def test_opting_out_needs_no_word_of_the_person(ada: User) -> None:
    told = post(message(exercise="sale:opt_out")).json()
    assert told["status"] == "fulfilled"
    assert choices.opted_out(ada.pk)


def test_the_same_message_is_the_same_request(ada: User) -> None:
    body = message()
    assert post(body).json()["request_id"] == post(body).json()["request_id"]
    assert Request.objects.count() == 1


@pytest.mark.parametrize(
    "wrong", ["signature", "no base64", "expired", "business", "token", "private callback"]
)
def test_what_is_not_signed_valid_and_ours_is_refused(
    ada: User, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = timezone.now() - dt.timedelta(minutes=1)
    body = {
        "signature": message(OTHER),
        "no base64": b"\x00\xff",
        "expired": message(**{"expires-at": past.isoformat()}),
        "business": message(**{"business-id": "ELSE"}),
        "token": message(),
        "private callback": message(status_callback="ftp://10.0.0.1/x"),
    }[wrong]
    answer = post(body, token="nonsense" if wrong == "token" else "")
    assert answer.status_code in (400, 403)
    told = answer.json()
    assert told["code"] == str(answer.status_code)
    assert told["message"]
    assert Request.objects.count() == 0


def test_another_agent_sees_and_stops_nothing(ada: User) -> None:
    number = post(message()).json()["request_id"]
    rival = flow.token_of(flow.register().agents["RIVAL"])
    headers = {"Authorization": f"Bearer {rival}"}
    assert Client().get(f"{PATH}{number}", headers=headers).status_code == 403
    signed = message(OTHER, reason="x")
    assert (
        Client().delete(f"{PATH}{number}", signed, content_type="text/plain", headers=headers).status_code
        == 403
    )
    assert Request.objects.get(number=number).answered_at is None


def test_an_agent_takes_its_request_back(ada: User) -> None:
    number = post(message()).json()["request_id"]
    token = flow.token_of(flow.register().agents["AGENT"])
    answer = Client().delete(
        f"{PATH}{number}", message(reason="changed"), content_type="text/plain",
        headers={"Authorization": f"Bearer {token}"},
    )  # fmt: skip
    assert answer.json()["status"] == "revoked"
    assert mandates.find_mandate(number).revoked_at is not None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"issued-at": -20, "expires-at": -1}, 403),
        ({"issued-at": 1, "expires-at": 10}, 403),
        ({"issued-at": -1}, 400),
        ({"expires-at": 10}, 400),
        ({}, 400),
    ],
    ids=["expired", "future", "no end", "no beginning", "no times"],
)
@pytest.mark.parametrize("verb", ["post", "delete", "token"])
def test_times_are_judged_by_every_verb(ada: User, verb: str, claims: dict[str, int], status: int) -> None:
    """2.04 asks for no claims at all: see the plain revocation; but what names some is held to all."""
    number = post(message()).json()["request_id"]
    now = timezone.now()
    said = {"agent-id": "AGENT", "business-id": "SHOP", "reason": "changed", "exercise": "access"}
    said |= {name: (now + dt.timedelta(minutes=minutes)).isoformat() for name, minutes in claims.items()}
    raw = json.dumps(said).encode()
    body = base64.b64encode(KEY.sign(raw) + raw)
    if verb == "token":
        answer = Client().post("/v1/agent/AGENT", body, content_type="text/plain")
        assert (answer.status_code, answer.content) == (403, b"")
    else:
        token = flow.token_of(flow.register().agents["AGENT"])
        path = PATH if verb == "post" else f"{PATH}{number}"
        answer = getattr(Client(), verb)(
            path, body, content_type="text/plain", headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == status
        assert answer.json()["fatal"] is (claims.get("issued-at", 0) < 1)
    assert Request.objects.count() == 1
    assert Request.objects.get(number=number).answered_at is None


def test_a_plain_revocation_as_the_protocol_writes_it(ada: User) -> None:
    number = post(message()).json()["request_id"]
    raw = json.dumps({"reason": "I changed my mind"}).encode()
    token = flow.token_of(flow.register().agents["AGENT"])
    answer = Client().delete(
        f"{PATH}{number}", base64.b64encode(KEY.sign(raw) + raw), content_type="text/plain",
        headers={"Authorization": f"Bearer {token}"},
    )  # fmt: skip
    assert answer.json()["status"] == "revoked"


@pytest.fixture
def callback() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """An agent's program that notes what it is told."""
    heard: list[dict[str, str]] = []

    class Program(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Program)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/status", heard
    server.shutdown()
    server.server_close()


def test_a_callback_is_told_each_new_status_once(
    ada: User, callback: tuple[str, list[dict[str, str]]]
) -> None:
    url, heard = callback
    number = post(message(status_callback=url)).json()["request_id"]
    work()
    for _ in range(2):
        flow.tell_agents(None)  # type: ignore[arg-type]
        work("tell_agent")
    flow.revoke(flow.register().agents["AGENT"], number, message(reason="x"))
    flow.tell_agents(None)  # type: ignore[arg-type]
    work("tell_agent")
    assert [(one["status"], one.get("reason")) for one in heard] == [
        ("in_progress", "need_user_verification"),
        ("revoked", None),
    ]
    assert "ada@" not in json.dumps(heard)
    assert not Job.objects.filter(state="dead").exists()


def test_a_shop_without_a_register_knows_no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    (settings.SHOP / "agents.toml").unlink()
    assert flow.register().agents == {}
    (settings.SHOP / "agents.toml").write_text('[agents.X]\nverify_key = "short"\n')
    with pytest.raises(flow.BadRegister, match="32 bytes of an Ed25519 key"):
        flow.register()
    assert Client().post("/v1/agent/X", b"x", content_type="text/plain").status_code == 503
