"""Runs of the proofs that were kept: when, with what outcome, chained into the audit trail."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import transaction

from tollkeeper.kit import audit
from tollkeeper.privacy.models import ProofRun


@dataclass(frozen=True, slots=True)
class RunRow:
    """A kept run."""

    ran_at: dt.datetime
    proven: int
    attested: int
    broken: int
    not_used: int
    broken_ids: tuple[str, ...]
    policy_hash: str
    digest: str


def keep_run(
    ran_at: dt.datetime, counts: Mapping[str, int], broken: Iterable[str], policy_hash: str, digest: str
) -> int:
    """Keep a whole run of the proofs and chain its hash into the audit trail; its number."""
    with transaction.atomic():
        row = ProofRun.objects.create(
            ran_at=ran_at,
            proven=counts["proven"],
            attested=counts["attested"],
            broken=counts["broken"],
            not_used=counts["not_used"],
            broken_ids=",".join(broken)[:1000],
            policy_hash=policy_hash,
            digest=digest,
        )
        audit.record("proofs.run", object=f"privacy.ProofRun:{row.pk}", note=digest)
    return row.pk


def last_run() -> RunRow | None:
    """The newest kept run."""
    row = ProofRun.objects.order_by("-ran_at", "-pk").first()
    return None if row is None else _row(row)


def list_runs(limit: int = 90) -> list[RunRow]:
    """Kept runs, newest first."""
    return [_row(row) for row in ProofRun.objects.order_by("-ran_at", "-pk")[:limit]]


def _row(row: ProofRun) -> RunRow:
    return RunRow(
        row.ran_at,
        row.proven,
        row.attested,
        row.broken,
        row.not_used,
        tuple(filter(None, row.broken_ids.split(","))),
        row.policy_hash,
        row.digest,
    )
