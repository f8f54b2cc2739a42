"""Keys and the gate: what a key leaves behind, and what an upstream is told."""

from __future__ import annotations

import json
import subprocess
import sys

from tollkeeper.catalog import queries as catalog
from tollkeeper.core.terms import KeyTerms
from tollkeeper.delivery import services as delivery
from tollkeeper.privacy.canary import Scanner
from tollkeeper.proofs import census
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.planting import planted, scan
from tollkeeper.proofs.probe import Broken, Evidence, NotUsed, probe, require

_TOLD = {
    "Cookie": "sessionid=canary",
    "Authorization": "Bearer tk_live_canary",
    "X-Forwarded-For": "203.0.113.7",
    "X-Real-IP": "203.0.113.7",
    "Forwarded": "for=203.0.113.7",
    "From": "canary@example.org",
    "Referer": "https://example.org/canary",
    "Accept": "application/json",
}
_PASS = {"accept"}
# the gate is a program of its own that no room imports: it is asked in its own process
_ASK = """
import json, sys
from tollkeeper.gate.parser import parse_request
raw = sys.stdin.buffer.read()
head = parse_request(raw)
print(json.dumps({"fields": (head[5] + head[6]).decode("latin-1") if isinstance(head, tuple) else None}))
"""


@probe("G-11")
def keys(ctx: Context) -> Evidence:
    """A key that was just made is in no table; of the others only hashes and hints are stored."""
    lengths = {len(bytes(value)) for value in census.raw_values("delivery.Key", "digest")}
    require(lengths <= {16}, "something else than a keyed hash is stored of a key", lengths=sorted(lengths))
    with planted() as canary:
        _, key = delivery.create_key(canary.customer_id, name="canary", terms=KeyTerms(plan="canary"))
        hits = sorted({hit.place for hit in scan(Scanner([key.text, key.text[8:40]]))})
    require(not hits, "the text of a key lies in a table", places=hits)
    return {
        "keys": census.count("delivery.Key"),
        "stored_of_a_key": "16 bytes of a keyed hash, a hint, a sealed name",
        "planted_key_hits": 0,
    }


@probe("G-26")
def upstreams(ctx: Context) -> Evidence:
    """What the gate hands to an upstream of a request full of a customer's traces."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in _TOLD.items())
    raw = f"GET /v1/users?q=1 HTTP/1.1\r\nHost: gate.example\r\n{lines}\r\n".encode()
    answer = subprocess.run(
        [sys.executable, "-c", _ASK], input=raw, capture_output=True, timeout=30, check=True
    )
    told = json.loads(answer.stdout)["fields"]
    if told is None:
        raise Broken("the gate did not read the request")
    names = {line.split(":", 1)[0].strip().lower() for line in told.splitlines() if ":" in line}
    extra = sorted(names - _PASS)
    require(
        not extra and "canary" not in told and "203.0.113" not in told,
        "an upstream is told too much",
        fields=extra,
    )
    terms = catalog.gate_terms()
    if not terms.upstreams:
        raise NotUsed("the shop has no upstream")
    return {
        "asked_with": sorted(_TOLD),
        "handed_on": sorted(names),
        "dropped": len(_TOLD) - len(names),
        "upstreams": [one.name for one in terms.upstreams],
    }
