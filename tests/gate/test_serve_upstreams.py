"""Upstreams behind TLS: believed only with a certificate that holds, kept alive, and held up like others."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.gate.stage import ROUTES, Stage, problem, request, statuses
from tollkeeper.core.charges import Outcome
from tollkeeper.core.terms import UpstreamTerms


class Echo(BaseHTTPRequestHandler):
    """Says a body back, and where it came from."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Port", str(self.client_address[1]))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """The port of a server with a certificate for 127.0.0.1, and that certificate."""
    certificate, private_key = tmp_path / "c.pem", tmp_path / "k.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-subj", "/CN=here", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run(
        [*command, "-out", str(certificate), "-keyout", str(private_key)], check=True, capture_output=True
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, private_key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_address[1], certificate
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_certificate_decides(new_stage: Callable[[], Stage], secure: tuple[int, Path]) -> None:
    port, certificate = secure
    stage = new_stage()
    upstreams = (
        UpstreamTerms("main", f"https://127.0.0.1:{port}"),
        UpstreamTerms("gone", f"https://localhost:{port}"),  # which its certificate does not name
    )
    stage.publish(upstreams=upstreams, routes=ROUTES)
    customer, key = stage.customer(100)
    gate = stage.run_gate(SSL_CERT_FILE=str(certificate))
    body = bytes(range(256)) * 4096
    sent = request(key, "/n", "POST", b"Content-Length: %d\r\n" % len(body), body)
    answer = gate.talk(sent + sent, wait_s=1)
    assert statuses(answer) == [200, 200]
    assert answer.count(body) == 2
    ports = [line for line in answer.split(b"\r\n") if line.startswith(b"X-Port: ")]
    assert len(ports) == 2
    assert len(set(ports)) == 1, "over one connection"
    answer = gate.talk(request(key, "/gone"), wait_s=1)
    assert problem(answer) == "upstream_unreachable"
    stranger = stage.run_gate("gate-2")
    assert problem(stranger.talk(sent, wait_s=1)) == "upstream_unreachable", "nobody vouches for it there"
    outcomes = [(s.outcome, bool(s.units)) for s in stage.settled(customer)]
    assert outcomes == [(Outcome.OK, True), (Outcome.OK, True), (Outcome.UNREACHABLE, False)]
