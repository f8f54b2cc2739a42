"""Live evidence for every promise of the policy: ``run(ids)`` → rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tollkeeper.proofs.running import Row


def run(ids: Iterable[str] | None = None) -> list[Row]:
    """Prove the shop's promises, or those of ``ids``: see :func:`tollkeeper.proofs.running.run`."""
    from tollkeeper.proofs import running  # noqa: PLC0415 - needs a Django that is set up

    return running.run(ids)


def register() -> None:
    """Make the daily run known to a worker, and the probes to whoever starts a policy."""
    from tollkeeper.privacy.policy_store import register_evidence  # noqa: PLC0415
    from tollkeeper.proofs import daily, running  # noqa: F401, PLC0415 - as above

    running.load_probes()
    register_evidence(running.shown)
