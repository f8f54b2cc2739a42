"""What people vouch for, promise by promise: contracts, countries, badges, reviews, who runs it."""

from __future__ import annotations

from tollkeeper.core.policy_schema import Policy
from tollkeeper.proofs.vouching import Facts, vouched_for


def _contracts(policy: Policy, *kinds: str) -> Facts:
    """The contracts and transfer tools of the recipients of these kinds; of all without kinds."""
    return {
        name: {
            "name": one.name,
            "country": [one.country, *one.countries],
            "contract": one.contract.model_dump(mode="json"),
            "transfer": one.transfer.model_dump(mode="json"),
        }
        for name, one in policy.recipients.items()
        if one.role != "authority" and (not kinds or one.kind in kinds)
    }


@vouched_for("T-18", "G-25")
def payment(policy: Policy) -> Facts:
    """The contract with who collects payments."""
    return _contracts(policy, "payment")


@vouched_for("T-19", "G-27")
def hosting(policy: Policy) -> Facts:
    """The contract with whose machines these are."""
    return _contracts(policy, "hosting")


@vouched_for("G-29")
def support(policy: Policy) -> Facts:
    """The contract with who carries letters."""
    return _contracts(policy, "mail", "support")


@vouched_for("G-47")
def guard(policy: Policy) -> Facts:
    """The contract with who stands in front of the machines."""
    return _contracts(policy, "security", "hosting")


@vouched_for("G-51")
def places(policy: Policy) -> Facts:
    """Where the stores really stand."""
    return {name: one.country for name, one in policy.transfers.places.items()}


@vouched_for("G-01", "G-52", "G-53")
def everything_abroad(policy: Policy) -> Facts:
    """All contracts with their transfer tools, that copies may be had."""
    return {**_contracts(policy), "copies": policy.transfers.copies.en}


@vouched_for("G-08")
def operator(policy: Policy) -> Facts:
    """Who runs the shop, and that they are independent."""
    named = policy.controller
    return {
        "name": named.legal_name,
        "address": list(named.address),
        "register": named.register_entry,
        "independent": named.independence.en if named.independence else "",
    }


@vouched_for("T-28", "G-48")
def audits(policy: Policy) -> Facts:
    """That people do what the audit plan says."""
    return {name: one.every_days for name, one in policy.reviews.items()}
