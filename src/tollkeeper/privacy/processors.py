"""The processor register that the egress door asks: the recipients of the policy in force."""

from __future__ import annotations

from functools import lru_cache

from tollkeeper.core.egress import Processor
from tollkeeper.privacy import policy_queries


def register() -> dict[str, Processor]:
    """Processors by name; empty while no policy is in force, so that nothing leaves."""
    version = policy_queries.find_current()
    return {} if version is None else _register(version.number, version.body_hash)


@lru_cache(maxsize=4)
def _register(number: int, body_hash: str) -> dict[str, Processor]:
    policy = policy_queries.get_version(number).policy
    return {
        name: Processor(
            name=name,
            hosts=frozenset(one.hosts),
            fields=frozenset(one.fields),
            categories=one.categories,
            purposes=frozenset(one.purposes),
            contract_until=one.contract.until,
            transfer_until=one.transfer.until,
        )
        for name, one in policy.recipients.items()
        if one.role != "authority"
    }
