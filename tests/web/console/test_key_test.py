"""A key is tried where it works; what came is said in words, and the key is nowhere afterwards."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.urls import reverse

from tests.services.postgres import free_port
from tests.web.console.test_relays import sold as sold
from tests.web.story import Story, Strict
from tollkeeper.core.keys import mint
from tollkeeper.delivery.models import Delivery
from tollkeeper.delivery.provisioners import Unsure
from tollkeeper.flows import relaying

KEY = mint(b"k" * 32).text


class Gate(ThreadingHTTPServer):
    """Answers ``/v1/limits`` with ``status`` and ``code``."""

    status, code = 200, ""
    asked: list[tuple[str, str]]


class Handler(BaseHTTPRequestHandler):
    server: Gate

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Authorization"]))
        body = json.dumps({"code": self.server.code}).encode() if self.server.code != "html" else b"<html>"
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def gate(settings: Any) -> Iterator[Gate]:
    server = Gate(("127.0.0.1", 0), Handler)
    server.asked = []
    settings.ENV = type(settings.ENV)(
        **{
            **{name: getattr(settings.ENV, name) for name in settings.ENV.__dataclass_fields__},
            "gate_url": f"http://127.0.0.1:{server.server_address[1]}",
        }
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test(story: Story, key: str) -> str:
    answer = story.client(story.owner).post(
        reverse("console_key_test"), {"key": key}, headers={"HX-Request": "true"}
    )
    assert "no-store" in answer["Cache-Control"]
    text: str = answer.content.decode()
    assert not key or key not in text, "a key is not sent back"
    assert Strict(text).wrong == []
    return text


test.__test__ = False  # type: ignore[attr-defined]


def test_a_good_key(story: Story, gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        text = test(story, KEY)
    assert "The key works" in text
    assert 'data-good="yes"' in text
    assert gate.asked == [("/v1/limits", f"Bearer {KEY}")]
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, "key_revoked", "This key was revoked"),
        (401, "key_unknown", "There is no such key"),
        (403, "key_suspended", "suspended"),
        (403, "address_not_allowed", "from your network"),
        (500, "html", "The key was refused"),
    ],
)
def test_the_real_refusal_is_said_with_its_remedy(
    story: Story, gate: Gate, status: int, code: str, words: str
) -> None:
    gate.status, gate.code = status, code
    text = test(story, KEY)
    assert words in text
    assert str(status) in text
    assert 'data-good="no"' in text


@pytest.mark.parametrize("key", ["", "tk_live_typo", "a b", "é", "x" * 301])
def test_what_is_no_key_is_not_sent_anywhere(story: Story, gate: Gate, key: str) -> None:
    assert "no key" in test(story, key)
    assert not gate.asked


def test_a_gate_that_is_away(story: Story, gate: Gate) -> None:
    object.__setattr__(gate, "status", 200)
    gate.shutdown()
    gate.socket.close()
    assert free_port()
    assert "does not answer" in test(story, KEY)


@pytest.mark.parametrize(
    ("says", "words"), [(True, "The key works"), (False, "refused the key"), (None, "does not answer")]
)
def test_at_a_relay(
    story: Story, sold: Delivery, monkeypatch: pytest.MonkeyPatch, says: bool | None, words: str
) -> None:
    def lets_in(target: str, secret: str) -> bool:
        assert (target, secret) == ("relay", "sk-abc")
        if says is None:
            raise Unsure("no answer")
        return says

    monkeypatch.setattr(relaying, "lets_in", lets_in)
    assert words in test(story, "sk-abc")


def test_relays_of_others_are_not_asked(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "lets_in", None)
    assert "no key of ours" in test(story, "sk-abc")


def test_the_page_without_a_script(story: Story, gate: Gate) -> None:
    client = story.client(story.owner)
    assert "Test a key" in client.get(reverse("console_key_test")).content.decode()
    assert "The key works" in client.post(reverse("console_key_test"), {"key": KEY}).content.decode()


def test_nobody_guesses_keys_here(story: Story, gate: Gate) -> None:
    client = story.client(story.owner)
    statuses = [client.post(reverse("console_key_test"), {"key": KEY}).status_code for _ in range(22)]
    assert statuses[-1] == 429
