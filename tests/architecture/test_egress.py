"""Nothing opens a connection but the egress door, and the few that talk to ourselves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[2] / "src" / "tollkeeper"
CLIENTS = {
    "requests",
    "urllib3",
    "httpx",
    "aiohttp",
    "socket",
    "smtplib",
    "ftplib",
    "telnetlib",
    "poplib",
    "imaplib",
    "http.client",
    "urllib.request",
    "asyncio.open_connection",
    "stripe",
}
MAY = {
    "kit/egress.py": "the door",
    "kit/egress_mailbox.py": "the door to the mailbox that people write to",
    "kit/egress_pinned.py": "the door to addresses that customers name for their own webhooks",
    "payments/providers/stripe.py": "speaks through the session that the door gives it",
    "payments/providers/_stripe_lists.py": "a part of the file above",
    "flows/reporters.py": "names the errors of the session that the door gives it",
    "delivery/registry.py": "names the errors of the session that the door gives it",
    "drills/_gates.py": "talks to gates that it started itself",
    "cli/ports.py": "looks which ports of this machine are free",
    "cli/touring/browser.py": "plays a customer against our own pages",
    "cli/touring/caller.py": "plays a customer against our own gate",
    "cli/touring/models.py": "plays a customer who chats at our own gate and a stand-in's",
    "web/status.py": "looks whether our own processes answer",
    "web/console/key_test.py": "asks our own gate what it says to a key",
    "proofs/context.py": "visits our own pages as a stranger",
    "proofs/security.py": "shakes hands with our own listeners",
}
GATE = "gate/"
"""The gate's traffic is the product: calls to upstreams, under its own header allow-list."""


def clients(source: str) -> Iterator[str]:
    """The client modules that a source file imports."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name in CLIENTS or name.partition(".")[0] in CLIENTS:
                yield name


def test_no_client_past_the_door():
    found = {}
    for path in SRC.rglob("*.py"):
        name = str(path.relative_to(SRC))
        if name not in MAY and not name.startswith(GATE) and (used := list(clients(path.read_text()))):
            found[name] = used
    assert found == {}


def test_the_list_holds_nothing_that_is_gone():
    assert [
        name for name in MAY if not (SRC / name).exists() or not list(clients((SRC / name).read_text()))
    ] == []


@pytest.mark.parametrize(
    "planted",
    [
        "import requests",
        "from urllib.request import urlopen",
        "import http.client as c",
        "from http import client",
    ],
)
def test_a_planted_client_is_noticed(planted):
    assert list(clients(planted))


def test_every_process_is_guarded():
    assert "egress_guard.guard_process()" in (SRC / "config" / "wsgi.py").read_text()
    assert "egress_guard.guard_process()" in (SRC / "cli" / "worker.py").read_text()
