"""GET /trust/ and /trust.json: what the last run of the proofs found, for everybody, and how to check it."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from tollkeeper.core.policy_rules import SECTIONS
from tollkeeper.privacy import attestations, badges, policy_queries, proof_runs
from tollkeeper.privacy.policy_queries import Version
from tollkeeper.privacy.proof_runs import RunRow
from tollkeeper.privacy.rendering.phrases import load
from tollkeeper.proofs import public, running
from tollkeeper.web.policy import policy_language

_RUNS = 30
_KINDS: dict[str, tuple[str, str, str | Promise]] = {
    running.PROVEN: ("ok", "circle-check", _("Proven")),
    running.ATTESTED: ("accent", "signature", _("Attested")),
    running.NOT_USED: ("", "circle-minus", _("Not used")),
    running.BROKEN: ("crit", "circle-x", _("Broken")),
}
"""Status → colour, icon, word."""
ROLE_WORDS: dict[str, str | Promise] = {
    "owner": _("the owner"),
    "privacy": _("the data protection lead"),
    "security": _("the security lead"),
    "operations": _("operations"),
    "finance": _("finance"),
    "counsel": _("our lawyers"),
    attestations.STAND_IN: _("a stand-in of this demonstration"),
}
SCRIPT = """\
# pip install cryptography
import json, urllib.request
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

told = json.load(urllib.request.urlopen("{address}"))
bare = {{k: v for k, v in told.items() if k not in ("digest", "signature", "public_key")}}
raw = json.dumps(bare, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
key = Ed25519PublicKey.from_public_bytes(bytes.fromhex("{key}"))
key.verify(bytes.fromhex(told["signature"]), raw)  # raises if anybody changed a letter
print(told["at"], told["counts"])
"""
"""What a visitor runs to check the signature of the last run."""


@dataclass(frozen=True, slots=True)
class Line:
    """One promise on the page."""

    id: str
    text: str
    status: str
    mood: str
    icon: str
    word: str | Promise
    checked_at: dt.datetime
    evidence: dict[str, str]
    role: str | Promise
    since: dt.date | None
    until: dt.date | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Part:
    """The promises of one section of the policy."""

    id: str
    title: str
    lines: tuple[Line, ...]

    @property
    def broken(self) -> int:
        """How many of them do not hold."""
        return sum(line.status == running.BROKEN for line in self.lines)


def _line(row: dict[str, Any], texts: dict[str, str], today: dt.date) -> Line:
    status = running.BROKEN if public.fallen(row, today) else row["status"]
    mood, icon, word = _KINDS[status]
    days = [dt.date.fromisoformat(row[part]) if row.get(part) else None for part in ("since", "until")]
    return Line(
        row["id"], texts[row["id"]], status, mood, icon, word, dt.datetime.fromisoformat(row["at"]),
        row["evidence"], ROLE_WORDS.get(row.get("role", ""), ""), days[0], days[1], row["evidence_sha256"],
    )  # fmt: skip


def _parts(version: Version, told: dict[str, Any], language: str, today: dt.date) -> list[Part]:
    """The rows of a run, by the sections of the version it was about."""
    promises = version.policy.promises
    texts = {name: one[language] for name, one in promises.items()}
    phrases = load(language)
    found: dict[str, list[Line]] = {}
    for row in told["rows"]:
        if row["id"] in promises:
            found.setdefault(promises[row["id"]].section, []).append(_line(row, texts, today))
    titles = {name: phrases.find(f"section.{name}") or version.page(language).title for name in SECTIONS}
    return [Part(name, titles[name], tuple(found[name])) for name in SECTIONS if name in found]


def _last() -> tuple[RunRow, dict[str, Any]] | None:
    run = proof_runs.last_run()
    if run is None or not run.document:
        return None
    return run, json.loads(run.document)


def _version(told: dict[str, Any]) -> Version | None:
    number = told["policy_version"]
    return policy_queries.find_public(number) if number else None


@require_safe
@cache_control(public=True, max_age=60)
def trust(request: HttpRequest) -> HttpResponse:
    """The page; before the first run it says so."""
    last, now, language = _last(), timezone.now(), policy_language()
    version = _version(last[1]) if last else None
    values: dict[str, Any] = {"run": None, "current": policy_queries.find_current()}
    if last is not None and version is not None:
        run, told = last
        parts = _parts(version, told, language, now.date())
        lines = [line for part in parts for line in part.lines]
        address = settings.ENV.public_url + reverse("privacy_trust_json")
        kinds = [(status, *_KINDS[status], sum(line.status == status for line in lines)) for status in _KINDS]
        values |= {
            "run": run,
            "told": told,
            "version": version,
            "parts": parts,
            "kinds": kinds,
            "bar": _bar([number for *_, number in kinds]),
            "total": len(lines),
            "broken": sum(line.status == running.BROKEN for line in lines),
            "stale": now - run.ran_at > badges.FRESH,
            "hours": round((now - run.ran_at).total_seconds() / 3600),
            "demo": any(row.get("role") == attestations.STAND_IN for row in told["rows"]),
            "runs": list(reversed(proof_runs.list_runs(_RUNS))),
            "script": SCRIPT.format(address=address, key=told["public_key"]),
        }
    return render(request, "policy/trust.html", values)


def _bar(numbers: list[int]) -> list[tuple[float, float]]:
    """Where each share begins and how wide it is, in percent."""
    total, at, made = sum(numbers) or 1, 0.0, []
    for number in numbers:
        width = 100 * number / total
        made.append((round(at, 3), round(width, 3)))
        at += width
    return made


@require_safe
@cache_control(public=True, max_age=60)
def trust_json(request: HttpRequest) -> HttpResponse:
    """The signed document of the last run, as it was kept."""
    last = _last()
    if last is None:
        raise Http404("no run of the proofs was kept yet")
    return HttpResponse(last[0].document, content_type="application/json; charset=utf-8")


urlpatterns = [
    path("trust/", trust, name="privacy_trust"),
    path("trust.json", trust_json, name="privacy_trust_json"),
]
