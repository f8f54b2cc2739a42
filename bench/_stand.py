"""What every benchmark of the gate stands on: a migrated book full of keys, an upstream, and the clock.

The figure is the CPU time of a server's whole process tree per request, read from
``/proc/*/task/*/schedstat``: on a machine that does other things it moves by some
five per cent, where requests per second move fourfold.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.core.management import call_command

from tollkeeper.core import keys
from tollkeeper.core.addresses import DAY_US, public_of
from tollkeeper.core.terms import (
    MICRO,
    GateTerms,
    KeyTerms,
    LimitTerms,
    ModelTerms,
    RouteTerms,
    UpstreamTerms,
    encode,
)

LOAD_KEYS = 10_000
"""Keys that the load goes through in turn."""
SERVER_CORE, LOAD_CORE = "0", "1"
START_S = 120.0
"""LiteLLM takes half a minute to start."""
BODY = (
    '{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"small",'
    '"choices":[{"index":0,"message":{"role":"assistant","content":"Hello there, how may I help you'
    ' today?"},"finish_reason":"stop"}],'
    '"usage":{"prompt_tokens":12,"completion_tokens":9,"total_tokens":21}}'
)
UPSTREAM = """
{user}worker_processes 1; pid {run}/upstream.pid; error_log {run}/upstream.err crit; daemon off;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 3600s; server_tokens off; tcp_nodelay on;
  client_body_buffer_size 2m; client_max_body_size 64m;
  client_body_temp_path {run}/t1; proxy_temp_path {run}/t2; fastcgi_temp_path {run}/t3;
  uwsgi_temp_path {run}/t4; scgi_temp_path {run}/t5;
  server {{
    listen 127.0.0.1:{port} backlog=4096; root {run}/www; default_type application/json;
    location /v1/files/ {{ alias {run}/www/; }}
    location / {{ return 200 '{body}'; }}
  }}
}}
"""


class NotHere(Exception):
    """A program that a benchmark needs is not installed, or does not start; the text says which."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One run of load against one server."""

    requests: int
    cpu_us: float
    """CPU microseconds per request, of the whole process tree."""
    p50_ms: float
    p99_ms: float
    rss_mib: float
    refused: int
    """Answers other than 2xx and 3xx, and socket errors."""


def program(name: str) -> str:
    """The path of a program: as ``TOLLKEEPER_BENCH_<NAME>`` says, else searched for.

    Raises :class:`NotHere`.
    """
    told = os.environ.get(f"TOLLKEEPER_BENCH_{name.upper()}", name)
    beside = str(Path(sys.executable).parent)
    found = shutil.which(told) or shutil.which(name, path=f"/usr/sbin:/usr/local/sbin:{beside}")
    if found is None:
        raise NotHere(f"{name} is not installed")
    return found


def nginx_user() -> str:
    """Who nginx's workers are: whoever runs this, as the scratch folder is closed to all others."""
    return "user root;\n" if os.geteuid() == 0 else ""


def free_port() -> int:
    """A port that nothing uses now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def key_text(number: int) -> bytes:
    """The key with this number; always the same."""
    return keys.mint(number.to_bytes(24)).text.encode()


def _terms() -> str:
    return encode(
        KeyTerms(
            plan="bench",
            limits=(
                LimitTerms("second", "requests", 1_000_000, 1),
                LimitTerms("hour", "units", 10**15, 3600),
            ),
            concurrency=10_000,
            routes=("json", "chat", "tokens", "files", "stream"),
        )
    )


def more_keys(home: Path, first: int, last: int) -> None:
    """Put keys into the scratch book: ten for each customer."""
    pepper, terms = (home / "secrets" / "pepper").read_bytes(), _terms()
    rows = (
        (n, keys.digest(key_text(n), pepper), 1 + n // 10, f"tenant-{n // 10}", "active", "", terms, None, n)
        for n in range(first, last + 1)
    )
    with closing(sqlite3.connect(home / "book.sqlite3")) as book, book:
        book.executemany(
            "INSERT INTO delivery_keyentry (key_id, digest, customer_id, tenant, state, reason, terms,"
            " expires_at, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )


def furnish(home: Path, upstream_port: int, key_count: int = LOAD_KEYS, stream_port: int = 9) -> None:
    """Migrate the scratch book and fill it: one customer for ten keys, plenty of units, all limits on,
    and a key of the day under which callers' addresses are sealed."""
    call_command("migrate", verbosity=0)
    more_keys(home, 1, key_count)
    customers = range(1, 2 + key_count // 10)
    amount = 10**9 * MICRO
    with closing(sqlite3.connect(home / "book.sqlite3")) as book, book:
        book.executemany(
            "INSERT INTO usage_grant (key, customer_id, unit, amount, remaining, clawed, priority,"
            " effective_at, scope, source, created_at, renews)"
            " VALUES (?, ?, 'calls', ?, ?, 0, 0, 0, '', 'bench', 0, 0)",
            ((f"bench:{c}", c, amount, amount) for c in customers),
        )
        book.executemany(
            "INSERT INTO usage_balance (customer_id, unit, spendable, held, debt, overage, version)"
            " VALUES (?, 'calls', ?, 0, 0, 0, 0)",
            ((c, amount) for c in customers),
        )
        book.execute(
            "INSERT INTO catalog_gatesnapshot (version, body, content_hash, created_at) VALUES (1, ?, '', 0)",
            (encode(shop(upstream_port, stream_port)),),
        )
        today = time.time_ns() // 1000 // DAY_US
        public = public_of(os.urandom(32))
        book.executemany(
            "INSERT OR REPLACE INTO kit_logkey (log, day, public) VALUES ('calls', ?, ?)",
            [(day, public) for day in range(today - 1, today + 3)],
        )


def shop(upstream_port: int, stream_port: int) -> GateTerms:
    """The routes that are measured."""
    return GateTerms(
        shop="bench",
        version=1,
        routes=(
            RouteTerms("json", "/v1/json"),
            RouteTerms("chat", "/v1/chat/completions", methods=("POST",), protocol="openai"),
            RouteTerms(
                "tokens", "/v2/chat/completions", methods=("POST",), meter="tokens", protocol="openai"
            ),
            RouteTerms("files", "/v1/files/{name}"),
            RouteTerms(
                "stream",
                "/v3/chat/completions",
                methods=("POST",),
                meter="tokens",
                protocol="openai",
                upstream="streams",
            ),
        ),
        upstreams=(
            UpstreamTerms("main", f"http://127.0.0.1:{upstream_port}", credential="BENCH_CREDENTIAL"),
            UpstreamTerms("streams", f"http://127.0.0.1:{stream_port}", credential="BENCH_CREDENTIAL"),
        ),
        models=(ModelTerms("small", MICRO, MICRO, max_output=100),),
    )


@contextmanager
def running(
    command: list[str], port: int, core: str, log: Path, **env: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A server pinned to a core, until the end of the block. Raises :class:`NotHere`."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            [program("taskset"), "-c", core, *command],
            stdout=out,
            stderr=out,
            env={**os.environ, **env},
            start_new_session=True,
        )
    try:
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                break
            except OSError:
                if process.poll() is not None:
                    raise NotHere(f"{command[0]} ended at once: {log.read_text()[-300:]}") from None
                time.sleep(0.05)
        else:
            raise NotHere(f"{command[0]} did not listen within {START_S:.0f} s")
        yield process
    finally:
        for pid in reversed(tree(process.pid)):
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                continue
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def upstream(run: Path) -> Iterator[int]:
    """An nginx that answers at once; gives its port."""
    (run / "www").mkdir(parents=True, exist_ok=True)
    (run / "www" / "mib").write_bytes(b"y" * 1024 * 1024)
    port = free_port()
    config = run / "upstream.conf"
    config.write_text(UPSTREAM.format(user=nginx_user(), run=run, port=port, body=BODY))
    command = [program("nginx"), "-p", str(run), "-c", str(config)]
    with running(command, port, LOAD_CORE, run / "upstream.out"):
        yield port


def gate_command(home: Path, *, pure: bool) -> tuple[list[str], int, dict[str, str]]:
    """Command, port and environment of our gate."""
    port = free_port()
    env = {
        "TOLLKEEPER_HOME": str(home),
        "TOLLKEEPER_GATE_PORT": str(port),
        "TOLLKEEPER_METRICS_PORT": str(free_port()),
        "BENCH_CREDENTIAL": "upstream-secret",
        "DATABASE_URL": "",
        "TOLLKEEPER_PURE": "1" if pure else "",
    }
    return [sys.executable, "-m", "tollkeeper.gate"], port, env


def wait_ready(internal_port: str, timeout_s: float = 60.0) -> None:
    """Wait until a gate says it is ready."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        try:
            with closing(socket.create_connection(("127.0.0.1", int(internal_port)), 0.5)) as probe:
                probe.sendall(b"GET /readyz HTTP/1.1\r\n\r\n")
                if b" 200 " in probe.recv(100):
                    return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError("the gate did not become ready")


def tree(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += tree(int(child))
    except OSError:
        pass
    return found


def cpu_ns(pids: list[int]) -> int:
    """CPU time of processes and all their threads."""
    total = 0
    for pid in pids:
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0])
        except OSError:
            continue
    return total


def rss_mib(pids: list[int]) -> float:
    """Proportional memory of processes."""
    total = 0
    for pid in pids:
        try:
            found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
        except OSError:
            continue
        total += int(found[1]) if found else 0
    return total / 1024


def wrk(port: int, script: Path, args: Mapping[str, str], seconds: int, connections: int) -> dict[str, float]:
    """Load for some seconds; what wrk counted."""
    command = [program("taskset"), "-c", LOAD_CORE, program("wrk"), "--latency", "-t1", f"-c{connections}"]
    command += [f"-d{seconds}s", "--timeout", "8s", "-s", str(script), f"http://127.0.0.1:{port}/", "--"]
    done = subprocess.run([*command, *args.values()], capture_output=True, text=True, check=False)
    text = done.stdout
    found = re.search(r"(\d+) requests in", text)
    if found is None:
        raise RuntimeError(f"wrk: {text[-200:]}{done.stderr[-200:]}")
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    errors = re.search(r"Socket errors: (.*)", text)
    broken = sum(int(n) for n in re.findall(r"\d+", errors[1])) if errors else 0
    return {
        "requests": int(found[1]),
        "p50": _ms(text, "50"),
        "p99": _ms(text, "99"),
        "refused": (int(bad[1]) if bad else 0) + broken,
    }


def _ms(text: str, share: str) -> float:
    found = re.search(rf"^ +{share}%\s+([\d.]+)(us|ms|s|m)", text, re.MULTILINE)
    scale = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
    return float(found[1]) * scale[found[2]] if found else float("nan")


def measure(
    pid: int, port: int, script: Path, args: Mapping[str, str], seconds: int, connections: int
) -> Measure:
    """CPU per request of a server under load, after it was warmed up (leases drawn, pool filled)."""
    wrk(port, script, args, 2, connections)
    pids = tree(pid)
    before = cpu_ns(pids)
    seen = wrk(port, script, args, seconds, connections)
    after = cpu_ns(pids)
    return Measure(
        requests=int(seen["requests"]),
        cpu_us=(after - before) / 1e3 / max(1, seen["requests"]),
        p50_ms=seen["p50"],
        p99_ms=seen["p99"],
        rss_mib=rss_mib(pids),
        refused=int(seen["refused"]),
    )
