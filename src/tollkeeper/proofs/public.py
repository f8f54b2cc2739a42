"""What everybody may read of a run: statuses, who vouched until when, and facts that tell of nobody.

A number that could count fewer people than the policy's threshold is left out; a promise that is
broken says so and not where, because that would help the wrong people first.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tollkeeper.proofs.report import signed
from tollkeeper.proofs.running import BROKEN
from tollkeeper.proofs.vouching import digest

SCHEMA = "tollkeeper-trust/1"
MOST = 4
"""How many facts of a row are told."""
_LONGEST = 72
_HEAD = ("ok", "shop", "at", "build", "policy_version", "policy_hash", "counts")
_WORD = ("role", "since", "until", "audit_entry")
_OURS = re.compile(r"(^|_)(days?|hours|ms|columns?|tables?|models?|bytes|versions?|pages?|hits|steps)(_|$)")
"""Names of facts that measure things of ours and may be told however small."""
_KEPT_BACK = frozenset({"why", "who", *_WORD, "dependencies", "remote_dependencies", "stale"})
_HASH = re.compile(r"[0-9a-f]{40,}")


def compose(document: Mapping[str, Any], k: int, entry: int) -> dict[str, Any]:
    """The public document of a run, signed; ``document`` is that of :func:`report.compose`.

    ``k`` is the policy's threshold; ``entry`` the audit entry that holds ``full_digest``.
    """
    return signed(
        {
            "schema": SCHEMA,
            **{name: document[name] for name in _HEAD},
            "full_digest": document["digest"],
            "audit_entry": entry,
            "rows": [_row(row, k) for row in document["rows"]],
        }
    )


def _row(row: Mapping[str, Any], k: int) -> dict[str, Any]:
    evidence = row["evidence"]
    words = {name: evidence[name] for name in _WORD if name in evidence} if "until" in evidence else {}
    told = [] if row["status"] == BROKEN else list(facts(evidence, k))[:MOST]
    return {
        **{name: row[name] for name in ("id", "status", "section", "at", "ms")},
        **words,
        "evidence": dict(told),
        "evidence_sha256": digest(evidence),
    }


def facts(evidence: Mapping[str, Any], k: int) -> Iterator[tuple[str, str]]:
    """The facts of a row that may be told, as words."""
    for name, value in evidence.items():
        text = "" if name in _KEPT_BACK else _text(name, value, k)
        if text and len(text) <= _LONGEST:
            yield name.replace("_", " "), text


def _text(name: str, value: Any, k: int) -> str:
    """A fact in a few words; empty if it must not be told."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:g}" if value <= 0 or value >= k or _OURS.search(name) else ""
    if isinstance(value, str):
        return f"{value[:16]}…" if _HASH.fullmatch(value) else value
    if isinstance(value, list | tuple):
        plain = all(isinstance(one, str) for one in value)
        return ", ".join(value) if plain and len(", ".join(value)) <= _LONGEST else f"{len(value)} listed"
    return f"{len(value)} listed" if isinstance(value, dict) and value else ""


def fallen(row: Mapping[str, Any], today: dt.date) -> bool:
    """Whether the word on which a row rests ran out since the run: it is broken from then on."""
    until = row.get("until")
    return bool(until) and dt.date.fromisoformat(str(until)) < today
