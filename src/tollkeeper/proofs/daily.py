"""The daily run: proves everything, keeps the outcome, chains it into the audit trail."""

from __future__ import annotations

import json
from typing import Any

from django.db import transaction
from django.utils import timezone

from tollkeeper.kit import audit
from tollkeeper.kit.jobs import schedule
from tollkeeper.privacy.policy_queries import get_current
from tollkeeper.privacy.proof_runs import keep_run
from tollkeeper.proofs import public, report, running

EVERY_S = 24 * 3600.0


def run_and_keep() -> dict[str, Any]:
    """Prove all promises of the shop and keep the run; the signed document."""
    now = timezone.now()
    rows = running.run()
    document = report.compose(rows)
    with transaction.atomic():
        entry = audit.record("proofs.run", object="privacy.ProofRun", note=document["digest"])
        told = public.compose(document, get_current().policy.use.k, entry)
        keep_run(
            now,
            document["counts"],
            report.broken(rows),
            policy_hash=document["policy_hash"] or "",
            digest=document["digest"],
            document=json.dumps(told, ensure_ascii=False, default=str),
            entry=entry,
        )
    return document


@schedule("prove", every_s=EVERY_S, purpose="legal")
def prove(context: Any) -> None:
    """One run a day, by whichever worker is first."""
    run_and_keep()
