"""A million keys in one gate: how long until they are loaded, what they weigh, what a call costs then."""

from __future__ import annotations

import re
import socket
import time
from contextlib import closing
from pathlib import Path

from bench import _peers, _stand
from bench.gate import CONNECTIONS, GET, SCRIPT
from tollkeeper.core.rehearsal import Figure, Outcome, Scene

SUMMARY = "Loading time, memory and CPU per call with a thousand and with a million keys."
FEW, MANY, MANY_QUICK = 1_000, 1_000_000, 100_000


def run(scene: Scene) -> Outcome:
    """``ok`` if the aims hold: at most 250 MiB and 5 s for a million keys, and a flat cost per call."""
    many = MANY_QUICK if scene.quick else MANY
    few_home, many_home = scene.home, scene.home
    figures: dict[str, Figure] = {"keys": many}
    work = scene.home / "bench"
    work.mkdir()
    (work / "keys.txt").write_text("".join(f"{_stand.key_text(n).decode()}\n" for n in range(1, FEW + 1)))
    with _stand.upstream(work) as upstream:
        _stand.furnish(few_home, upstream, FEW)
        _, base_mib, few_us = _one(scene, few_home, FEW)
        scene.say(1, 2, "few keys")
        _stand.more_keys(many_home, FEW + 1, many)
        load_s, mib, many_us = _one(scene, many_home, many)
        scene.say(2, 2, "many keys")
    figures["load_s"] = round(load_s, 2)
    figures["mib"] = round(mib - base_mib, 1)
    figures["us_per_call_1k"] = round(few_us, 1)
    figures["us_per_call_1m"] = round(many_us, 1)
    share = many / MANY
    flat = many_us <= few_us * 1.25
    return Outcome(
        load_s <= 5 * max(share, 0.3) and mib - base_mib <= 250 * max(share, 0.3) and flat, figures
    )


def _one(scene: Scene, home: Path, count: int) -> tuple[float, float, float]:
    """Seconds until all keys are known, memory in MiB, CPU microseconds per call."""
    server = _peers.ours(home, pure=False)
    log = scene.home / "bench" / f"keys-{count}.out"
    internal = int(server.env["TOLLKEEPER_METRICS_PORT"])
    with _stand.running(server.command, server.port, _stand.SERVER_CORE, log, **server.env) as process:
        began = time.monotonic()
        while _known(internal) < count:
            if time.monotonic() - began > 120:
                raise RuntimeError("the keys were not loaded")
            time.sleep(0.02)
        load_s = time.monotonic() - began
        mib = _stand.rss_mib(_stand.tree(process.pid))
        args = {"kind": GET[0], "path": GET[1], "keys": str(scene.home / "bench" / "keys.txt")}
        seconds = 2 if scene.quick else 4
        measured = _stand.measure(process.pid, server.port, SCRIPT, args, seconds, CONNECTIONS)
    return load_s, mib, measured.cpu_us


def _known(internal_port: int) -> int:
    try:
        with closing(socket.create_connection(("127.0.0.1", internal_port), 1)) as probe:
            probe.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            page = b""
            while data := probe.recv(65536):
                page += data
    except OSError:
        return 0
    found = re.search(rb"^tollkeeper_gate_keys (\d+)", page, re.MULTILINE)
    return int(found[1]) if found else 0
