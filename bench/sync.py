"""Many keys at a relay, compared with the book: how many requests that takes, and how long.

The relay is a stand-in in a process of its own, asked over real connections. Each is swept
three times: all keys new to the book, nothing changed, use of every tenth changed. A few
orphans, losses and differences are planted, and must be found.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests
from django.utils import timezone

from bench import _stand
from samples.relays.relay import stocked
from tollkeeper.accounts import services as accounts
from tollkeeper.core.rehearsal import Figure, Outcome, Scene
from tollkeeper.core.terms import KeyTerms, TargetTerms, encode
from tollkeeper.delivery import queries, registry
from tollkeeper.delivery.models import Delivery, Snapshot
from tollkeeper.delivery.provisioners import Door, Reply, litellm, newapi, openrouter
from tollkeeper.drills._shop import open_shop
from tollkeeper.flows import relaying
from tollkeeper.kit.models import Job

SUMMARY = "100,000 keys at each kind of relay compared with the book: requests per key, and seconds."
KEYS, KEYS_QUICK = 100_000, 2_000
PLANTED = 7
"""Keys that are only there, only here, and otherwise than sold: so many of each."""
DOLLARS = 10_000_000
BUILD: dict[str, tuple[Callable[[Door], Any], dict[str, str], str]] = {
    "litellm": (litellm.build, {}, "LITELLM_ADMIN_KEY"),
    "newapi": (newapi.build, {"user": "7"}, "NEWAPI_ADMIN_KEY"),
    "openrouter": (openrouter.build, {}, "OPENROUTER_ADMIN_KEY"),
}
SECRET = "sk-bench-admin"


class Wire:
    """The way to the stand-in; counts requests, and the seconds that were spent waiting."""

    def __init__(self) -> None:
        self.session = requests.Session()
        self.session.trust_env = False
        self.requests = 0
        self.waited_s = 0.0

    def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: Any = None,
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        """See ``provisioners.Http``."""
        began = time.perf_counter()
        answer = self.session.request(method, url, headers=dict(headers), json=body, params=query, timeout=60)
        self.waited_s += time.perf_counter() - began
        self.requests += 1
        return Reply(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, answer.content)


def run(scene: Scene) -> Outcome:
    """``ok`` if all that was planted is found, nothing else is, and keys are listed, not read singly."""
    open_shop()
    count = KEYS_QUICK if scene.quick else KEYS
    figures: dict[str, Figure] = {"keys": count}
    ok = True
    buyers = [
        accounts.ensure_customer(accounts.create_person(f"b{n}@bench.invalid", None)) for n in range(100)
    ]
    for place, name in enumerate(BUILD):
        with _relay(name, count) as address:
            ok &= _one(name, address, count, buyers, figures)
        scene.say(place + 1, len(BUILD), "relays")
    return Outcome(ok, figures)


def _one(name: str, address: str, count: int, buyers: list[int], figures: dict[str, Figure]) -> bool:
    build, options, _ = BUILD[name]
    wire = Wire()
    target = TargetTerms(name, name, address, "X", resale_allowed=True, options=options)
    with registry.stand_in(name, build(Door(timezone.now, target, SECRET, wire))):
        _sell(name, count, buyers)
        Job.objects.all().delete()
        first = _sweep(name, wire, count, figures, f"{name}_first")
        Job.objects.all().delete()
        second = _sweep(name, wire, count, figures, f"{name}_same")
        wire.session.put(f"{address}/_use", json={"every": 10, "micro": 500}, timeout=60)
        third = _sweep(name, wire, count, figures, f"{name}_tenth_changed")
    snapshots = Snapshot.objects.filter(delivery__target=name).count()
    found = first == {"seen": count, "orphans": PLANTED, "missing": PLANTED, "different": PLANTED}
    left = {"seen": count - PLANTED, "orphans": 0, "missing": PLANTED, "different": PLANTED}
    per_key = figures[f"{name}_same_requests_per_key"]
    assert isinstance(per_key, float)
    return found and second == third == left and snapshots == count - PLANTED and per_key < 0.05


def _sweep(name: str, wire: Wire, count: int, figures: dict[str, Figure], prefix: str) -> dict[str, int]:
    requests_before, waited_before, began = wire.requests, wire.waited_s, time.perf_counter()
    found = relaying.sweep(name)
    took = time.perf_counter() - began
    figures[f"{prefix}_requests_per_key"] = round((wire.requests - requests_before) / count, 4)
    figures[f"{prefix}_s"] = round(took, 2)
    figures[f"{prefix}_waited_s"] = round(wire.waited_s - waited_before, 2)
    return found


def _sell(name: str, count: int, buyers: list[int]) -> None:
    """Deliveries as they stand after the sale: all but some of what is there, and some more."""
    mark, terms = queries.mark(), encode(KeyTerms("relay", unit="relay-usd"))
    offset = 10_000_000 * (1 + list(BUILD).index(name))
    long_ago = timezone.now() - relaying.ORPHAN_AFTER * 2
    rows = [
        Delivery(
            line_id=offset + n,
            customer_id=buyers[n % len(buyers)],
            provisioner=name,
            alias=f"{name}-{n}",
            unit="relay-usd",
            terms=terms,
            state="delivered",
            target=name,
            label=f"{mark}{n}-1",
            handle=str(n) if name == "newapi" else litellm.handle_of(stocked(n)),
            cap=DOLLARS // 2 if PLANTED < n <= 2 * PLANTED else DOLLARS,
            units=DOLLARS,
            created_at=long_ago,
        )
        for n in range(PLANTED + 1, count + PLANTED + 1)
    ]
    Delivery.objects.bulk_create(rows, batch_size=2000)


@contextmanager
def _relay(name: str, count: int) -> Iterator[str]:
    """A stand-in with so many keys of this installation; its address."""
    port = _stand.free_port()
    command = [sys.executable, "-m", "samples.relays", "--kind", name, "--port", str(port)]
    command += ["--stock", str(count), "--prefix", queries.mark()]
    process = subprocess.Popen(command, env={**os.environ, BUILD[name][2]: SECRET})
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(port)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise RuntimeError("the stand-in does not answer") from None
            time.sleep(0.05)
        else:
            return
