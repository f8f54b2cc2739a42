"""The daily run: proves everything, keeps the outcome, chains it into the audit trail."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from tollkeeper.kit.jobs import schedule
from tollkeeper.privacy.proof_runs import keep_run
from tollkeeper.proofs import report, running

EVERY_S = 24 * 3600.0


def run_and_keep() -> dict[str, Any]:
    """Prove all promises of the shop and keep the run; the signed document."""
    now = timezone.now()
    rows = running.run()
    document = report.compose(rows)
    keep_run(now, document["counts"], report.broken(rows), document["policy_hash"] or "", document["digest"])
    return document


@schedule("prove", every_s=EVERY_S, purpose="legal")
def prove(context: Any) -> None:
    """One run a day, by whichever worker is first."""
    run_and_keep()
