"""Versions of the policy: stored when the file changed, announced, activated; verbs only.

A version is immutable: its tree, and the documents rendered from it, are stored with their
hashes, and triggers refuse to change them. The first version of an installation starts at
once. A later one with a *material* change starts only after everybody was told, on the day
that was announced; other changes start at once.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Collection
from pathlib import Path

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from tollkeeper.core import states
from tollkeeper.core.policy import BadPolicy, content_hash, decode_policy, encode_policy, locate, read_policy
from tollkeeper.core.policy_diff import Change, diff, is_material
from tollkeeper.core.policy_rules import overdue, placeholders
from tollkeeper.core.policy_schema import Policy
from tollkeeper.kit import audit
from tollkeeper.privacy import policy_queries
from tollkeeper.privacy.models import PolicyNotice, PolicyVersion
from tollkeeper.privacy.rendering import document
from tollkeeper.privacy.rendering.page import render_page

Evidence = Callable[[], Collection[str]]
_evidence: list[Evidence] = []


class Blocked(Exception):
    """A version that may not start yet; ``reasons`` are sentences for the operator."""

    def __init__(self, reasons: tuple[str, ...]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


def register_evidence(source: Evidence) -> None:
    """Name a source of evidence: it answers the ids of all promises that have a probe that can
    run, or an attestation that has not expired. Used by ``proofs``; asked at every activation."""
    if source not in _evidence:
        _evidence.append(source)


def read_file(path: Path) -> Policy:
    """The policy of a file; where money is real also without placeholders. Raises :class:`BadPolicy`."""
    text = path.read_text(encoding="utf-8")
    policy = read_policy(text)
    if settings.ENV.live and (found := placeholders(policy)):
        raise BadPolicy(locate(text, found))
    return policy


def store_policy(path: Path) -> int:
    """Store the file's policy as a version if it is a new one, and start it if nothing stands against it.

    Returns the number of the version that the file is. The same file and the same phrases a
    second time write nothing. Raises :class:`BadPolicy` with all mistakes, having written nothing.
    """
    policy = read_file(path)
    with transaction.atomic():
        number = _version(policy)
        row = PolicyVersion.objects.get(number=number)
        if row.state == "draft" and not row.material and not blockers(number, timezone.now()):
            activate(number, timezone.now())
    return number


def render_documents(policy: Policy) -> str:
    """The page in every language of the policy, as the text that is stored and hashed."""
    return document.encode({name: render_page(policy, name) for name in policy.policy.languages})


def _version(policy: Policy) -> int:
    body, documents = encode_policy(policy), render_documents(policy)
    hashes = (content_hash(policy), document.digest(documents))
    newest = PolicyVersion.objects.exclude(state="withdrawn").order_by("-number").first()
    if newest is not None and (newest.body_hash, newest.documents_hash) == hashes:
        return newest.number
    for waiting in PolicyVersion.objects.filter(state__in=("draft", "announced")):
        waiting.state = states.step(states.POLICY, waiting.state, "withdraw")
        waiting.save(update_fields=["state"])
    changes: tuple[Change, ...] = ()
    current = policy_queries.find_current()
    if current is not None:
        changes = diff(current.policy, policy)
    top = PolicyVersion.objects.aggregate(top=models.Max("number"))["top"] or 0
    row = PolicyVersion.objects.create(
        number=top + 1,
        body=body,
        body_hash=hashes[0],
        documents=documents,
        documents_hash=hashes[1],
        material=is_material(changes),
        reasons=",".join(dict.fromkeys(change.reason for change in changes if change.reason)),
    )
    audit.record("policy.store", object=f"privacy.PolicyVersion:{row.number}", note=hashes[0])
    return row.number


def announce(number: int, subjects: Collection[uuid.UUID], now: dt.datetime) -> dt.date:
    """Announce a material version to ``subjects``; the day on which it may start.

    The notices are rows that wait to be sent; ``flows.policy_change`` sends them. Raises
    ``IllegalStep`` for a version that is no draft.
    """
    with transaction.atomic():
        row = PolicyVersion.objects.select_for_update().get(number=number)
        row.state = states.step(states.POLICY, row.state, "announce")
        days = policy_queries.get_version(number).policy.changes.notice_days
        row.announced_at, row.effective_on = now, (now + dt.timedelta(days=days)).date()
        row.save(update_fields=["state", "announced_at", "effective_on"])
        PolicyNotice.objects.bulk_create(
            [PolicyNotice(version=row, subject_id=subject) for subject in subjects], ignore_conflicts=True
        )
        audit.record("policy.announce", object=f"privacy.PolicyVersion:{number}", note=row.reasons)
    return row.effective_on


def waive_notice(number: int, now: dt.datetime) -> None:
    """Note that a material version concerns nobody: called while no account exists."""
    with transaction.atomic():
        row = PolicyVersion.objects.select_for_update().get(number=number, state="draft")
        row.announced_at, row.effective_on = now, now.date()
        row.save(update_fields=["announced_at", "effective_on"])
        audit.record("policy.waive_notice", object=f"privacy.PolicyVersion:{number}")


def notice_sent(notice_id: int, now: dt.datetime, *, bounced: bool = False) -> None:
    """Note that a notice left, or could not be delivered (the console still shows it)."""
    PolicyNotice.objects.filter(pk=notice_id).update(**({"bounced_at": now} if bounced else {"sent_at": now}))


def notice_seen(number: int, subject: uuid.UUID, now: dt.datetime) -> None:
    """Note that a person closed the notice in the console."""
    PolicyNotice.objects.filter(version_id=number, subject_id=subject, seen_at=None).update(seen_at=now)


def blockers(number: int, now: dt.datetime) -> tuple[str, ...]:
    """Why a version may not start now, as sentences; empty if it may."""
    version = policy_queries.get_version(number)
    reasons = [f"{_dotted(finding.path)} {finding.text}." for finding in overdue(version.policy, now.date())]
    if version.material:
        reasons += _notice_blockers(version, now)
    reasons += _evidence_blockers(version.policy)
    return tuple(reasons)


def _notice_blockers(version: policy_queries.Version, now: dt.datetime) -> list[str]:
    if version.announced_at is None or version.effective_on is None:
        return ["It changes something that people must be told of first: announce it."]
    reasons = []
    waiting = PolicyNotice.objects.filter(version_id=version.number, sent_at=None, bounced_at=None).count()
    if waiting:
        reasons.append(f"{waiting} notices have not been sent yet.")
    if now.date() < version.effective_on:
        reasons.append(f"It was announced for {version.effective_on}.")
    return reasons


def _evidence_blockers(policy: Policy) -> list[str]:
    if not _evidence:
        return ["No probes are known: nothing shows that the promises hold."] if settings.ENV.live else []
    known = {name for source in _evidence for name in source()}
    bare = [name for name in policy.promises if name not in known]
    return [f"Neither probe nor attestation: {', '.join(bare)}."] if bare else []


def _dotted(path: tuple[str | int, ...]) -> str:
    return ".".join(map(str, path))


def activate(number: int, now: dt.datetime) -> None:
    """Start a version; the one before it ends in the same instant. Raises :class:`Blocked`."""
    with transaction.atomic():
        row = PolicyVersion.objects.select_for_update().get(number=number)
        after = states.step(states.POLICY, row.state, "activate")
        if reasons := blockers(number, now):
            raise Blocked(reasons)
        for old in PolicyVersion.objects.select_for_update().filter(state="active"):
            old.state, old.ended_at = states.step(states.POLICY, old.state, "supersede"), now
            old.save(update_fields=["state", "ended_at"])
        row.state, row.activated_at = after, now
        row.save(update_fields=["state", "activated_at"])
        audit.record("policy.activate", object=f"privacy.PolicyVersion:{number}", note=row.body_hash)


def rendering_mistakes() -> tuple[str, ...]:
    """What does not fit about the stored versions: bodies or documents that are not their hashes, and
    a current page that today's phrases would render differently (a new version is due)."""
    found = []
    for row in PolicyVersion.objects.order_by("number"):
        if content_hash(decode_policy(row.body)) != row.body_hash:
            found.append(f"the tree of version {row.number} is not what was stored")
        if document.digest(row.documents) != row.documents_hash:
            found.append(f"the page of version {row.number} is not what was stored")
    current = policy_queries.find_current()
    if current is not None and document.digest(render_documents(current.policy)) != current.documents_hash:
        found.append(f"the page of version {current.number} would be rendered differently now")
    return tuple(found)
