"""A page of somebody's own calls the API from the browser: the origin that the shop allows may read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.gate.stage import Stage
from tests.gate.upstream import ScriptedUpstream

FETCH = """async ([url, key]) => {
  const answer = await fetch(url, {method: "POST", body: "{}",
    headers: {"Authorization": "Bearer " + key, "Content-Type": "application/json"}});
  return [answer.status, await answer.text(), answer.headers.get("x-request-id")];
}"""


class _BlankPage(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>An app</title>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def app_url() -> Iterator[str]:
    """Where somebody's app lives."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _BlankPage)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_fetch_from_an_allowed_origin_and_from_another(
    browser: Browser, app_url: str, tmp_path: Path
) -> None:
    upstream = ScriptedUpstream()
    stage = Stage(tmp_path, upstream.port)
    try:
        stage.publish(cors_origins=(app_url,))
        _, key = stage.customer(10)
        gate = stage.run_gate()
        asked = [f"http://127.0.0.1:{gate.port}/n", key.decode()]
        page = browser.new_page()
        page.goto(app_url)
        status, text, request_id = page.evaluate(FETCH, asked)
        assert (status, text) == (200, "{}")
        assert request_id.startswith("req_")
        status, _, _ = page.evaluate(FETCH, [asked[0], "wrong"])
        assert status == 401, "a refusal can be read too"
        page.goto(app_url.replace("127.0.0.1", "localhost"))
        assert (
            page.evaluate(f"(asked) => ({FETCH})(asked).catch((error) => error.name)", asked) == "TypeError"
        )
        page.close()
        assert len(upstream.on("/n")) == 1, "the browser's preflight stopped the other origin's call"
    finally:
        stage.stop_all()
        upstream.close()
