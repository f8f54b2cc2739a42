"""The gate, every duty on, beside nginx and others: CPU per request, interleaved, one core each.

Every round runs every server once and then starts over, so that a busy minute hits all alike; a
ratio is the median over rounds of a peer's CPU per request over ours in the same round. Above 1
we are faster. ``docs/gate-speed.md`` tells what each server does, and what each figure is.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench import _peers, _stand, _streams
from bench._peers import Server
from bench._stand import Measure
from tollkeeper.core.rehearsal import Figure, Outcome, Scene

SUMMARY = "CPU per call of the gate with all duties on, beside nginx, HAProxy, Envoy and LiteLLM."
SCRIPT = Path(__file__).with_name("_load.lua")
POST, GET, TOKENS, MIB = (
    ("post", "/v1/chat/completions"),
    ("get", "/v1/json"),
    ("post", "/v2/chat/completions"),
    ("get", "/v1/files/mib"),
)
CONNECTIONS, FEW = 64, 16
STREAMS = 300
LONG_S = 12
"""LiteLLM answers a hundred calls a second, the first of them slowly."""
OPTIONAL = {"nginx_lua": _peers.nginx_lua, "haproxy": _peers.haproxy, "envoy": _peers.envoy}

Rounds = list[dict[str, Measure]]


def run(scene: Scene) -> Outcome:
    """Measure. ``ok`` if every answer was right and the first aims hold (0.85 as run, 0.50 pure)."""
    rounds, seconds = (2, 2) if scene.quick else (7, 4)
    work = scene.home / "bench"
    work.mkdir()
    built = subprocess.run(
        [sys.executable, "-m", "tollkeeper.gate.build"], capture_output=True, text=True, check=True
    )
    figures: dict[str, Figure] = {"build": built.stdout.strip().rpartition(" ")[2]}
    streams = _stand.free_port()
    with _stand.upstream(work) as upstream:
        _stand.furnish(scene.home, upstream, stream_port=streams)
        (work / "keys.txt").write_text("".join(f"{_stand.key_text(n).decode()}\n" for n in range(1, 10_001)))
        hamap = "".join(f"{_stand.key_text(n).decode()} k{n}\n" for n in range(1, 10_001))
        (work / "keys.hamap").write_text(hamap)
        two = [_peers.nginx(work, upstream, streams), _peers.ours(scene.home, pure=False)]
        servers = [*two, _peers.ours(scene.home, pure=True)]
        others = {}
        for name, make in {**OPTIONAL, "litellm": _peers.litellm}.items():
            try:
                others[name] = make(work, upstream)
                if name != "litellm":  # which takes half a minute to start
                    _starts(others[name], work)
            except _stand.NotHere as missing:
                others.pop(name, None)
                figures[f"without_{name}"] = str(missing)
        litellm = others.pop("litellm", None)
        posts = play(scene, [*servers, *others.values()], POST, rounds, seconds)
        gets = play(scene, two, GET, rounds, seconds)
        tokens = play(scene, two, TOKENS, rounds, seconds)
        envoy = [others["envoy"]] if "envoy" in others else []
        mibs = play(scene, [*two, *envoy], MIB, rounds, seconds, FEW)
        slow: Rounds = []
        try:
            slow = play(scene, [two[1], litellm], POST, 1, LONG_S, FEW) if litellm else []
        except _stand.NotHere as missing:
            figures["without_litellm"] = str(missing)
        figures.update(compared(posts, gets, tokens))
        figures.update(_large(mibs))
        figures["ratio_litellm"] = ratio(slow, "litellm")
        figures.update(latency(scene, two[1], upstream, posts, seconds))
        figures.update(streaming(scene, two, streams))
    played = [one for rounds_ in (posts, gets, tokens, mibs, slow) for one in rounds_]
    figures["refused"] = sum(measured.refused for one in played for measured in one.values())
    ok = (
        figures["refused"] == 0
        and _at_least(figures, "ratio_nginx", 0.85)
        and _at_least(figures, "ratio_nginx_pure", 0.5)
    )
    return Outcome(ok, figures)


def _starts(server: Server, work: Path) -> None:
    """Raises ``NotHere`` if a server does not start on this machine."""
    log = work / f"{server.name}.out"
    with _stand.running(server.command, server.port, _stand.SERVER_CORE, log, **server.env):
        pass


def _at_least(figures: dict[str, Figure], name: str, floor: float) -> bool:
    value = figures.get(name)
    return isinstance(value, float) and value >= floor


def play(
    scene: Scene,
    servers: list[Server],
    load: tuple[str, str],
    rounds: int,
    seconds: int,
    connections: int = CONNECTIONS,
) -> Rounds:
    """Every server once a round, in turn."""
    played: Rounds = []
    for number in range(rounds):
        one: dict[str, Measure] = {}
        for server in servers:
            one[server.name] = measure(scene, server, load, seconds, connections)
            scene.say(
                number + 1, rounds, f"{load[0]} {load[1]} {server.name} {one[server.name].cpu_us:.1f} us"
            )
        played.append(one)
    return played


def measure(
    scene: Scene,
    server: Server,
    load: tuple[str, str],
    seconds: int,
    connections: int,
    rest_ms: float = 0.0,
) -> Measure:
    """Start a server, load it, and end it."""
    work = scene.home / "bench"
    log = work / f"{server.name}.out"
    with _stand.running(server.command, server.port, _stand.SERVER_CORE, log, **server.env) as process:
        if "TOLLKEEPER_METRICS_PORT" in server.env:
            _stand.wait_ready(server.env["TOLLKEEPER_METRICS_PORT"])
        args = {"kind": load[0], "path": load[1], "keys": str(work / server.keys), "rest": str(rest_ms)}
        return _stand.measure(process.pid, server.port, SCRIPT, args, seconds, connections)


def ratio(played: Rounds, peer: str, own: str = "ours") -> float | None:
    """Median over rounds of the peer's CPU over ours; None where the peer did not run."""
    pairs = [one[peer].cpu_us / one[own].cpu_us for one in played if peer in one and one[own].cpu_us]
    return round(statistics.median(pairs), 3) if pairs else None


def _median(played: Rounds, name: str, what: str) -> float:
    return round(float(statistics.median(getattr(one[name], what) for one in played)), 2)


def compared(posts: Rounds, gets: Rounds, tokens: Rounds) -> dict[str, Figure]:
    """The figures of the table in the documents."""
    peers: dict[str, Figure] = {
        f"us_per_call_{name}": _median(posts, name, "cpu_us")
        for name in ("nginx", "nginx_lua", "haproxy", "envoy")
        if name in posts[0]
    }
    return {
        "ratio_nginx": ratio(posts, "nginx"),
        "ratio_nginx_pure": ratio(posts, "nginx", "ours_pure"),
        "ratio_nginx_get": ratio(gets, "nginx"),
        "ratio_nginx_tokens": ratio(tokens, "nginx"),
        "ratio_nginx_lua": ratio(posts, "nginx_lua"),
        "ratio_haproxy": ratio(posts, "haproxy"),
        "ratio_envoy": ratio(posts, "envoy"),
        "us_per_call": _median(posts, "ours", "cpu_us"),
        "us_per_call_pure": _median(posts, "ours_pure", "cpu_us"),
        "us_per_call_get": _median(gets, "ours", "cpu_us"),
        "us_per_call_get_nginx": _median(gets, "nginx", "cpu_us"),
        "us_per_call_tokens": _median(tokens, "ours", "cpu_us"),
        **peers,
        "rss_mib": _median(posts, "ours", "rss_mib"),
    }


def _large(mibs: Rounds) -> dict[str, Figure]:
    return {
        "ratio_nginx_mib": ratio(mibs, "nginx"),
        "ratio_envoy_mib": ratio(mibs, "envoy"),
        "us_per_mib": _median(mibs, "ours", "cpu_us"),
    }


def latency(scene: Scene, ours: Server, upstream: int, posts: Rounds, seconds: int) -> dict[str, Figure]:
    """What the gate adds at half load, beside the same load on the upstream itself.

    Half load: every connection rests between two calls, so long that all together ask for half of
    what one core can do.
    """
    rest_ms = CONNECTIONS * 2 * _median(posts, "ours", "cpu_us") / 1000
    through = measure(scene, ours, POST, seconds, CONNECTIONS, rest_ms)
    keys = str(scene.home / "bench" / "keys.txt")
    args = {"kind": POST[0], "path": POST[1], "keys": keys, "rest": str(rest_ms)}
    direct = _stand.wrk(upstream, SCRIPT, args, seconds, CONNECTIONS)
    return {
        "added_p50_ms": round(through.p50_ms - direct["p50"], 3),
        "added_p99_ms": round(through.p99_ms - direct["p99"], 3),
        "half_load_rps": round(through.requests / seconds),
    }


def streaming(scene: Scene, servers: list[Server], port: int) -> dict[str, Figure]:
    """How many streams of twenty metered events a second one core carries, and the CPU of an event."""
    work = scene.home / "bench"
    spent: dict[str, float] = {}
    refused = 0
    command = [sys.executable, "-m", "bench._streams", "upstream", str(port)]
    with _stand.running(command, port, _stand.LOAD_CORE, work / "streams.out"):
        for server in servers:
            log = work / f"{server.name}.out"
            with _stand.running(
                server.command, server.port, _stand.SERVER_CORE, log, **server.env
            ) as process:
                if "TOLLKEEPER_METRICS_PORT" in server.env:
                    _stand.wait_ready(server.env["TOLLKEEPER_METRICS_PORT"])
                spent[server.name], lost = _per_event(process.pid, server.port, work / server.keys)
                refused += lost
                scene.say(1, 1, f"stream {server.name} {spent[server.name]:.1f} us")
    return {
        "sse_refused": refused,
        "sse_streams": int(1e6 / (spent["ours"] * _streams.RATE)),
        "us_per_event": round(spent["ours"], 2),
        "ratio_nginx_sse": round(spent["nginx"] / spent["ours"], 3),
    }


def _per_event(pid: int, port: int, keys: Path) -> tuple[float, int]:
    """CPU microseconds of one event, once all streams are open and before the first of them ends;
    and how many streams were refused."""
    command = [_stand.program("taskset"), "-c", _stand.LOAD_CORE, sys.executable, "-m", "bench._streams"]
    arguments = ["read", str(port), str(keys), str(STREAMS)]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True) as reader:
        time.sleep(_streams.SECONDS / 3)
        pids, began = _stand.tree(pid), time.monotonic()
        before = _stand.cpu_ns(pids)
        time.sleep(_streams.SECONDS / 3)
        spent, took = _stand.cpu_ns(pids) - before, time.monotonic() - began
        events, refused = map(int, reader.communicate()[0].split())
    return spent / 1e3 / (events * took / _streams.SECONDS), refused
