"""Protection: on the way, at rest, and from the curious."""

from __future__ import annotations

import datetime as dt
import ipaddress
import math
import socket
import ssl
import stat
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connections

from tollkeeper.kit import audit
from tollkeeper.privacy import policy_queries, reviews
from tollkeeper.privacy.canary import Scanner
from tollkeeper.privacy.proof_runs import last_run, list_runs
from tollkeeper.proofs import census
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.planting import planted
from tollkeeper.proofs.probe import Evidence, NotUsed, probe, require

_HANDSHAKE_S = 5
_REVIEW = dt.timedelta(days=2)
_GUARDED = ("/console/", "/console/keys/", "/console/orders/", "/console/settings/", "/desk/", "/desk/jobs/")


def _loopback(host: str) -> bool:
    try:
        return host in ("localhost", "") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _handshake(host: str, port: int) -> str:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with (
        socket.create_connection((host, port), timeout=_HANDSHAKE_S) as plain,
        context.wrap_socket(plain, server_hostname=host) as secure,
    ):
        return str(secure.version())


@probe("T-25", "G-44")
def on_the_way(ctx: Context) -> Evidence:
    """A handshake with every address of ours that leaves this machine; TLS to what we depend on."""
    env = settings.ENV
    addresses = {"web": env.public_url, "gate": env.gate_url}
    far = {name: url for name, url in addresses.items() if not _loopback(urlsplit(url).hostname or "")}
    dependencies = {
        name: urlsplit(url).hostname or ""
        for name, url in (("book", env.database_url), ("counters", env.redis_url), ("mail", env.smtp_url))
        if url
    }
    remote = sorted(name for name, host in dependencies.items() if not _loopback(host))
    facts = {"addresses": addresses, "dependencies": dependencies or "files on this machine"}
    if not far and not remote:
        require(not ctx.live, "a live shop is reached without TLS", **facts)
        raise NotUsed("every address is a loopback one: nothing is sent over a network", **facts)
    clear = sorted(name for name, url in far.items() if not url.startswith("https://"))
    require(not clear, "an address of ours is not HTTPS", names=clear)
    made = {}
    for name, url in far.items():
        parts = urlsplit(url)
        made[name] = _handshake(parts.hostname or "", parts.port or 443)
    return {**facts, "handshakes": made, "remote_dependencies": remote}


def _entropy(values: Iterable[str]) -> float:
    counts = Counter(character for value in values for character in value)
    total = sum(counts.values())
    return -sum(n / total * math.log2(n / total) for n in counts.values()) if total else 0.0


@probe("T-26", "G-45")
def at_rest(ctx: Context) -> Evidence:
    """Every value of every sealed column is a token; nothing planted can be found in the clear."""
    sealed = {name: column for name, column in ctx.columns().items() if column.sealed}
    counted: dict[str, int] = {}
    bodies: list[str] = []
    for name in sealed:
        label, _, column = name.rpartition(".")
        values = [value for value in census.raw_values(label, column) if value]
        clear = [value for value in values if not census.is_sealed(value)]
        require(not clear, f"{len(clear)} values of {name} are in the clear")
        counted[name] = len(values)
        bodies += [value.rsplit(".", 1)[1] for value in values[:50] if isinstance(value, str)]
    sessions = [str(value) for value in census.raw_values("sessions.Session", "session_data")]
    require(all(value.startswith("t1.") for value in sessions), "a session is not sealed")
    with planted() as canary:
        hits = canary.hits()
    require(not hits, "planted values were found in the clear", hits=hits)
    book = connections["default"]
    return {
        "sealed_columns": counted,
        "sealed_sessions": len(sessions),
        "bits_per_character": round(_entropy(bodies), 2),
        "planted_values": len(canary.needles),
        "planted_hits": 0,
        "book": book.vendor,
        "keystore": connections["keystore"].vendor,
        "keys": census.count("keystore.SubjectKey"),
        "keystore_apart": str(connections["keystore"].settings_dict["NAME"])
        != str(book.settings_dict["NAME"]),
    }


@probe("G-05")
def together(ctx: Context) -> Evidence:
    """The roll-up of transmission, storage and access."""
    facts: dict[str, object] = {}
    parts: tuple[tuple[str, Callable[[Context], Evidence]], ...] = (
        ("transmission", on_the_way),
        ("storage", at_rest),
        ("access", access),
    )
    for name, part in parts:
        try:
            facts[name] = {"status": "PROVEN", "facts": len(part(ctx))}
        except NotUsed as unused:
            facts[name] = {"status": "NOT-USED", "why": str(unused)}
    return facts


@probe("T-26")
def files_hold_no_planted_address(ctx: Context) -> Evidence:
    """Logs, journals and the raw files of the book hold no address of a living account."""
    sample = list(census.raw_values("account.EmailAddress", "email", limit=200))
    rows: Any = census.model_of("account.EmailAddress")._base_manager.order_by("-pk")[:20]
    addresses = [row.email for row in rows if "@erased" not in row.email]
    if not addresses:
        return {"files_searched_for_addresses": 0}
    scanner = Scanner(addresses)
    outgoing = [ctx.home / "mail"]
    hits = sorted({hit.place for hit in scanner.scan_folder(ctx.home, leave_out=outgoing)})
    require(
        not hits, "an address lies in a file in the clear", files=[place.rsplit("/", 1)[-1] for place in hits]
    )
    return {"files_searched_for_addresses": len(addresses), "address_rows": len(sample)}


def _modes(ctx: Context) -> list[str]:
    """Files of secrets and keys that others than their owner may read."""
    files = [*(ctx.home / "secrets").glob("*"), settings.ENV.keystore]
    return sorted(file.name for file in files if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077)


@probe("T-27", "G-46")
def access(ctx: Context) -> Evidence:
    """Strangers see neither console nor desk; secrets are their owner's; who is staff, with which factor."""
    turned = {}
    for path in _GUARDED:
        answer = ctx.get(path)
        turned[path] = answer.status
        away = answer.status in (301, 302) and "/accounts/login/" in answer.headers.get("location", "")
        require(away or answer.status in (403, 404), "a stranger sees a page that is not theirs", page=path)
    readable = _modes(ctx)
    require(not readable, "secrets can be read by others", files=readable)
    users = census.model_of("accounts.User")._base_manager
    staff = users.filter(is_staff=True, is_active=True)
    factors = census.model_of("mfa.Authenticator")._base_manager.exclude(type="recovery_codes")
    with_factor = staff.filter(pk__in=factors.values("user_id")).count()
    total = staff.count()
    require(
        with_factor == total or not ctx.live,
        "staff without a second factor",
        staff=total,
        with_factor=with_factor,
    )
    stale = staff.filter(last_login__lt=ctx.now - dt.timedelta(days=180)).count()
    return {
        "turned_away": turned,
        "staff": total,
        "staff_with_second_factor": with_factor,
        "staff_unseen_for_half_a_year": stale,
        "secrets_for_owner_only": True,
    }


@probe("T-28", "G-48")
def audits(ctx: Context) -> Evidence:
    """The trail verifies, the last run of the proofs is no older than two days, no review is overdue."""
    verdict = audit.verify_trail()
    require(verdict.ok, "the audit trail is broken", at=verdict.broken)
    last = last_run()
    begun = last.ran_at if last is not None else policy_queries.get_current().activated_at
    age = ctx.now - (begun or ctx.now)
    require(
        age <= _REVIEW, "the last kept run of the proofs is too old", hours=round(age.total_seconds() / 3600)
    )
    late = [one.name for one in reviews.tasks(ctx.now) if one.kind == "review" and one.overdue(ctx.today)]
    require(not late, "a review of the audit plan is overdue", reviews=late)
    return {
        "trail_entries": verdict.entries,
        "trail_head": verdict.last.mac[:16],
        "kept_runs": len(list_runs()),
        "last_run": last.ran_at.isoformat(timespec="seconds") if last else "this is the first",
        "next_due": (ctx.now + dt.timedelta(days=1)).isoformat(timespec="seconds"),
        "next_reviews": {
            one.name: str(one.due_on)
            for one in reviews.plan(ctx.policy, reviews.begun(ctx.now))
            if one.kind == "review"
        },
    }
