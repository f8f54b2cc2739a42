"""Runs of the proofs that were kept: when, with what outcome, chained into the audit trail."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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
    document: str
    """What everybody may read of it: signed JSON."""


def keep_run(
    ran_at: dt.datetime, counts: Mapping[str, int], broken: Iterable[str], *,
    policy_hash: str, digest: str, document: str, entry: int,
) -> int:  # fmt: skip
    """Keep a whole run of the proofs, with the number of the audit entry that holds its hash; its number.

    ``document`` is what everybody may read of it, signed.
    """
    return ProofRun.objects.create(
        ran_at=ran_at,
        proven=counts["proven"],
        attested=counts["attested"],
        broken=counts["broken"],
        not_used=counts["not_used"],
        broken_ids=",".join(broken)[:1000],
        policy_hash=policy_hash,
        digest=digest,
        document=document,
        entry=entry,
    ).pk


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
        row.document,
    )
