"""Badges that nobody can draw by hand: shown only while every control behind them holds."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from tollkeeper.core.policy_rules import overdue
from tollkeeper.privacy import policy_queries, proof_runs

FRESH = dt.timedelta(hours=48)
"""How old the last run of the proofs may be."""


@dataclass(frozen=True, slots=True)
class Badge:
    """A regime whose controls all hold: how many, when they were checked, for which policy."""

    regime: str
    controls: int
    checked_at: dt.datetime
    policy_hash: str


def shown(now: dt.datetime) -> list[Badge]:
    """The badges that the policy asks for and that stand now; empty if anything behind them fails.

    Something fails if a contract, transfer tool or review ran out, if the last run of the
    proofs is older than :data:`FRESH`, was of another policy, or found anything broken.
    """
    version = policy_queries.find_current()
    if version is None or overdue(version.policy, now.date()):
        return []
    run = proof_runs.last_run()
    if run is None or now - run.ran_at > FRESH or run.broken or run.policy_hash != version.body_hash:
        return []
    regimes = version.policy.regimes
    asked = [name for name, on in (("GDPR", regimes.gdpr.badge), ("CCPA", regimes.ccpa.badge)) if on]
    return [Badge(name, run.proven + run.attested, run.ran_at, run.policy_hash) for name in asked]
