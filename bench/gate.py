"""The gate, every duty on, beside nginx and others: CPU per request, interleaved, one core each.

Every round runs every server once and then starts over, so that a busy minute hits all alike; a
ratio is the median over rounds of a peer's CPU per request over ours in the same round. Above 1
we are faster.
"""

from __future__ import annotations

import statistics
from pathlib import Path

from bench import _peers, _stand
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
CONNECTIONS = 64
OPTIONAL = {"nginx_lua": _peers.nginx_lua, "haproxy": _peers.haproxy, "envoy": _peers.envoy}

Rounds = list[dict[str, Measure]]


def run(scene: Scene) -> Outcome:
    """Measure. ``ok`` if every answer was right and the first aims hold (0.85 as run, 0.50 pure)."""
    rounds, seconds = (2, 2) if scene.quick else (5, 4)
    work = scene.home / "bench"
    work.mkdir()
    with _stand.upstream(work) as upstream:
        _stand.furnish(scene.home, upstream)
        (work / "keys.txt").write_text("".join(f"{_stand.key_text(n).decode()}\n" for n in range(1, 10_001)))
        hamap = "".join(f"{_stand.key_text(n).decode()} k{n}\n" for n in range(1, 10_001))
        (work / "keys.hamap").write_text(hamap)
        servers = [_peers.nginx(work, upstream), _peers.ours(scene.home, pure=False)]
        servers.append(_peers.ours(scene.home, pure=True))
        figures: dict[str, Figure] = {}
        for name, make in OPTIONAL.items():
            try:
                servers.append(make(work, upstream))
            except _stand.NotHere as missing:
                figures[f"without_{name}"] = str(missing)
        posts = play(scene, servers, POST, rounds, seconds)
        gets = play(scene, servers[:2], GET, rounds, seconds)
        tokens = play(scene, servers[:2], TOKENS, rounds, seconds)
        figures.update(compared(posts, gets, tokens))
        figures.update(latency(scene, servers[:2], seconds))
    refused = sum(m.refused for played in (posts, gets, tokens) for one in played for m in one.values())
    figures["refused"] = refused
    ok = (
        refused == 0
        and _at_least(figures, "ratio_nginx", 0.85)
        and _at_least(figures, "ratio_nginx_pure", 0.5)
    )
    return Outcome(ok, figures)


def _at_least(figures: dict[str, Figure], name: str, floor: float) -> bool:
    value = figures.get(name)
    return isinstance(value, float) and value >= floor


def play(scene: Scene, servers: list[Server], load: tuple[str, str], rounds: int, seconds: int) -> Rounds:
    """Every server once a round, in turn."""
    played: Rounds = []
    for number in range(rounds):
        one: dict[str, Measure] = {}
        for server in servers:
            one[server.name] = _measure(scene, server, load, seconds, CONNECTIONS)
            scene.say(
                number + 1, rounds, f"{load[0]} {load[1]} {server.name} {one[server.name].cpu_us:.1f} us"
            )
        played.append(one)
    return played


def _measure(scene: Scene, server: Server, load: tuple[str, str], seconds: int, connections: int) -> Measure:
    work = scene.home / "bench"
    log = work / f"{server.name}.out"
    with _stand.running(server.command, server.port, _stand.SERVER_CORE, log, **server.env) as process:
        if "TOLLKEEPER_METRICS_PORT" in server.env:
            _stand.wait_ready(server.env["TOLLKEEPER_METRICS_PORT"])
        args = {"kind": load[0], "path": load[1], "keys": str(work / "keys.txt")}
        return _stand.measure(process.pid, server.port, SCRIPT, args, seconds, connections)


def ratio(played: Rounds, peer: str, own: str = "ours") -> float | None:
    """Median over rounds of the peer's CPU over ours; None where the peer did not run."""
    pairs = [one[peer].cpu_us / one[own].cpu_us for one in played if peer in one and one[own].cpu_us]
    return round(statistics.median(pairs), 3) if pairs else None


def _median(played: Rounds, name: str, what: str) -> float:
    return round(statistics.median(getattr(one[name], what) for one in played), 2)


def compared(posts: Rounds, gets: Rounds, tokens: Rounds) -> dict[str, Figure]:
    """The figures of the table in the documents."""
    return {
        "ratio_nginx": ratio(posts, "nginx"),
        "ratio_nginx_pure": ratio(posts, "nginx", "ours_pure"),
        "ratio_nginx_get": ratio(gets, "nginx"),
        "ratio_nginx_tokens": ratio(tokens, "nginx"),
        "ratio_nginx_lua": ratio(posts, "nginx_lua"),
        "ratio_haproxy": ratio(posts, "haproxy"),
        "ratio_envoy": ratio(posts, "envoy"),
        "ratio_litellm": ratio(posts, "litellm"),
        "us_per_call": _median(posts, "ours", "cpu_us"),
        "us_per_call_pure": _median(posts, "ours_pure", "cpu_us"),
        "us_per_call_nginx": _median(posts, "nginx", "cpu_us"),
        "us_per_call_get": _median(gets, "ours", "cpu_us"),
        "rss_mib": _median(posts, "ours", "rss_mib"),
    }


def latency(scene: Scene, servers: list[Server], seconds: int) -> dict[str, Figure]:
    """What the gate adds at about half load: eight connections, beside nginx."""
    played = play_at(scene, servers, seconds, 8)
    return {
        "added_p50_ms": round(played["ours"].p50_ms - played["nginx"].p50_ms, 3),
        "added_p99_ms": round(played["ours"].p99_ms - played["nginx"].p99_ms, 3),
    }


def play_at(scene: Scene, servers: list[Server], seconds: int, connections: int) -> dict[str, Measure]:
    """Every server once, with so many connections."""
    return {server.name: _measure(scene, server, POST, seconds, connections) for server in servers}
