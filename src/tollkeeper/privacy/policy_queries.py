"""Reads of the policy: the version in force, earlier ones, what changed, what a person must be told."""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from functools import lru_cache

from django.db import models

from tollkeeper.core.policy import decode_policy
from tollkeeper.core.policy_diff import Change, diff
from tollkeeper.core.policy_schema import Policy
from tollkeeper.core.refusal import Refused
from tollkeeper.privacy.models import PolicyNotice, PolicyVersion
from tollkeeper.privacy.rendering import document
from tollkeeper.privacy.rendering.document import Document


class NoPolicy(Refused):
    """No version of the policy is in force: the shop was not loaded yet."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version with its dates; ``policy`` and ``page(language)`` are parsed once per process."""

    number: int
    body_hash: str
    documents_hash: str
    material: bool
    reasons: tuple[str, ...]
    state: str
    created_at: dt.datetime
    announced_at: dt.datetime | None
    effective_on: dt.date | None
    activated_at: dt.datetime | None
    ended_at: dt.datetime | None

    @property
    def policy(self) -> Policy:
        """The tree."""
        return _policy(self.number, self.body_hash)

    def page(self, language: str) -> Document:
        """The page as it was rendered then, in ``en`` or ``zh``; English where it was not translated."""
        pages = _pages(self.number, self.documents_hash)
        return pages.get(language) or pages["en"]


@lru_cache(maxsize=16)
def _policy(number: int, body_hash: str) -> Policy:
    return decode_policy(PolicyVersion.objects.values_list("body", flat=True).get(number=number))


@lru_cache(maxsize=16)
def _pages(number: int, documents_hash: str) -> dict[str, Document]:
    return document.decode(PolicyVersion.objects.values_list("documents", flat=True).get(number=number))


def _version(row: PolicyVersion) -> Version:
    return Version(
        number=row.number,
        body_hash=row.body_hash,
        documents_hash=row.documents_hash,
        material=row.material,
        reasons=tuple(filter(None, row.reasons.split(","))),
        state=row.state,
        created_at=row.created_at,
        announced_at=row.announced_at,
        effective_on=row.effective_on,
        activated_at=row.activated_at,
        ended_at=row.ended_at,
    )


def _rows() -> models.QuerySet[PolicyVersion]:
    return PolicyVersion.objects.defer("body", "documents")


def first_year(now: dt.datetime) -> int:
    """The year in which this shop's first policy was stored; this year before that."""
    first = PolicyVersion.objects.order_by("created_at").values_list("created_at", flat=True).first()
    return (first or now).year


def find_current() -> Version | None:
    """The version in force."""
    row = _rows().filter(state="active").first()
    return None if row is None else _version(row)


def get_current() -> Version:
    """The version in force; raises :class:`NoPolicy`."""
    found = find_current()
    if found is None:
        raise NoPolicy("no version of the policy is in force; run `tollkeeper migrate`")
    return found


def get_version(number: int) -> Version:
    """Raises ``PolicyVersion.DoesNotExist``."""
    return _version(_rows().get(number=number))


def find_public(number: int) -> Version | None:
    """A version that was ever announced or in force; drafts are nobody's business yet."""
    row = _rows().filter(number=number, state__in=("announced", "active", "superseded")).first()
    return None if row is None else _version(row)


def list_public() -> list[Version]:
    """All versions that were ever announced or in force, newest first."""
    rows = _rows().filter(state__in=("announced", "active", "superseded")).order_by("-number")
    return [_version(row) for row in rows]


def list_all() -> list[Version]:
    """All versions, drafts and withdrawn ones too, newest first: for operators."""
    return [_version(row) for row in _rows().order_by("-number")]


def find_before(number: int) -> Version | None:
    """The version that was in force before this one."""
    row = _rows().filter(number__lt=number, activated_at__isnull=False).order_by("-number").first()
    return None if row is None else _version(row)


def changes(number: int) -> tuple[Change, ...]:
    """What a version changed against the one in force before it; empty for the first."""
    before = find_before(number)
    return () if before is None else diff(before.policy, get_version(number).policy)


@dataclass(frozen=True, slots=True)
class Notice:
    """A change that a person has not seen yet."""

    version: int
    effective_on: dt.date
    reasons: tuple[str, ...]


def open_notices(subject: uuid.UUID) -> list[Notice]:
    """Announced or started changes whose notice a person has not closed in the console."""
    rows = (
        PolicyNotice.objects.filter(
            subject_id=subject, seen_at=None, version__state__in=("announced", "active")
        )
        .select_related("version")
        .defer("version__body", "version__documents")
        .order_by("version_id")
    )
    return [
        Notice(row.version_id, row.version.effective_on, tuple(filter(None, row.version.reasons.split(","))))
        for row in rows
        if row.version.effective_on is not None
    ]


def waiting_notices(number: int, limit: int = 500) -> list[tuple[int, uuid.UUID]]:
    """Notices of a version that were not sent yet: ``(notice id, subject)``."""
    rows = PolicyNotice.objects.filter(version_id=number, sent_at=None, bounced_at=None)
    return list(rows.order_by("pk").values_list("pk", "subject_id")[:limit])


@dataclass(frozen=True, slots=True)
class NoticeCounts:
    """How far the telling of a version got."""

    due: int
    sent: int
    bounced: int


def notice_counts(number: int) -> NoticeCounts:
    """Notices of a version: all, sent, bounced."""
    rows = PolicyNotice.objects.filter(version_id=number)
    return NoticeCounts(
        rows.count(),
        rows.filter(sent_at__isnull=False).count(),
        rows.filter(bounced_at__isnull=False).count(),
    )
