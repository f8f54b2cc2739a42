from __future__ import annotations

import socket
import threading
import time

import pytest

from tests.services.postgres import free_port
from tollkeeper.cli import ports
from tollkeeper.cli.supervisor import Program
from tollkeeper.core.refusal import Refused


def test_a_taken_port_is_named_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match=rf"port {port} \(for the gate\).*--port"):
            ports.check([Program("worker", ("x",)), Program("gate", ("x",), port)], patience_s=0)


def test_free_ports_pass() -> None:
    ports.check([Program("gate", ("x",), free_port())], patience_s=0)


def test_what_is_about_to_end_is_waited_for() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    ending = threading.Timer(0.3, server.close)
    ending.start()
    began = time.monotonic()
    ports.check([Program("gate", ("x",), port)], patience_s=10)
    assert time.monotonic() - began < 5
    ending.join()
