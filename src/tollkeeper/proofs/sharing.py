"""Who receives data: nobody for value, processors under contract, authorities in a case."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import get_args

from tollkeeper.core.policy_nodes import Recipient
from tollkeeper.proofs import census
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.probe import Broken, Evidence, probe, require

_VALUE = {"buyer", "third_party", "partner", "broker", "advertiser", "seller"}
_DAYS = 30


def _left(ctx: Context, name: str) -> dict[str, object]:
    """What left for a recipient in the last thirty days, by field, and what was refused."""
    since = ctx.now - dt.timedelta(days=_DAYS)
    rows = census.model_of("trail.Disclosure")._base_manager.filter(processor=name, at__gte=since)
    fields: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for listed, outcome in rows.values_list("fields", "outcome"):
        outcomes[outcome] += 1
        if outcome == "sent":
            fields.update(filter(None, listed.split(",")))
    recipient = ctx.policy.recipients[name]
    strange = sorted(set(fields) - set(recipient.fields))
    require(not strange, f"{name} received fields that the policy does not list", fields=strange)
    return {"sent_fields": dict(fields), "outcomes": dict(outcomes), "allowed_fields": list(recipient.fields)}


def under_contract(ctx: Context, name: str, facts: Evidence) -> Evidence:
    """A recipient's contract and transfer tool, both still running."""
    recipient = ctx.policy.recipients[name]
    ends = [day for day in (recipient.contract.until, recipient.transfer.until) if day is not None]
    if recipient.contract.signed_on is None or not ends:
        raise Broken(f"the contract with {name} has no dates")
    require(min(ends) >= ctx.today, f"the contract with {name} ran out", on=str(min(ends)))
    return {
        **facts,
        "contract": recipient.contract.reference,
        "signed_on": str(recipient.contract.signed_on),
        "country": recipient.country,
        "transfer": recipient.transfer.tool,
        "days_left": (min(ends) - ctx.today).days,
    }


def _only(ctx: Context, kind: str) -> str:
    names = [name for name, one in ctx.policy.recipients.items() if one.kind == kind]
    if not names:
        raise Broken(f"the policy names no recipient of the kind {kind}")
    return names[0]


@probe("T-17", "G-23", "G-24")
def never_sold(ctx: Context) -> Evidence:
    """No recipient gets data for value, and the schema has no word for one that does."""
    roles = set(get_args(Recipient.model_fields["role"].annotation))
    require(not roles & _VALUE, "the schema has a role for a buyer of data", roles=sorted(roles & _VALUE))
    sends = Counter(census.raw_values("trail.Disclosure", "processor"))
    strange = sorted(set(sends) - set(ctx.policy.recipients))
    require(not strange, "data left for somebody whom the policy does not name", recipients=strange)
    return {
        "roles_that_can_be_written": sorted(roles),
        "recipients": {name: one.role for name, one in ctx.policy.recipients.items()},
        "disclosures_by_recipient": dict(sends),
    }


@probe("T-18", "G-25")
def payment_provider(ctx: Context) -> Evidence:
    """The payment provider receives checkout data only, under a contract that holds."""
    name = _only(ctx, "payment")
    answer = ctx.get("/")
    policy = answer.headers.get("content-security-policy", "")
    host = "stripe.com"
    require("script-src" in policy or "default-src 'self'" in policy, "pages have no content policy")
    loads = [part for part in policy.split(";") if "form-action" not in part and host in part]
    require(not loads, "a page may load from the provider", directives=loads)
    require(host.encode() not in answer.body, "a page loads from the provider")
    return under_contract(ctx, name, {**_left(ctx, name), "scripts_of_theirs_on_pages": 0})


@probe("T-19", "G-27")
def hosting(ctx: Context) -> Evidence:
    """Where the machines stand, under which contract."""
    return under_contract(ctx, _only(ctx, "hosting"), {})


@probe("T-20")
def authorities(ctx: Context) -> Evidence:
    """Nothing left for an authority outside a case that two people agreed to."""
    name = _only(ctx, "authority")
    cases = census.model_of("privacy.AuthorityCase")._base_manager
    given = cases.filter(state="released")
    alone = given.filter(checked_by="").count() + given.filter(form_ok=False).count()
    require(alone == 0, "data was given out without a second look", cases=alone)
    sent = census.model_of("trail.Disclosure")._base_manager.filter(processor=name, outcome="sent")
    outside = sent.exclude(at__in=list(given.values_list("decided_at", flat=True))).count()
    require(outside == 0, "data left for an authority without a case", sent=outside)
    late = cases.filter(state="released", subject__isnull=False, told_at__isnull=True)
    hushed = late.filter(gag_until__lt=ctx.today - dt.timedelta(days=2)).count()
    require(hushed == 0, "a gag is over and the person was not told", cases=hushed)
    return {
        "cases": cases.count(),
        "released": given.count(),
        "disclosures": sent.count(),
        "outside_a_case": outside,
        "gags_that_hold": late.filter(gag_until__gte=ctx.today).count(),
    }


@probe("T-21", "G-30")
def only_what_is_necessary(ctx: Context) -> Evidence:
    """Every field that left is one of its recipient's, and every recipient's contract holds."""
    ended = [
        name
        for name, one in ctx.policy.recipients.items()
        if one.contract.until is not None and one.contract.until < ctx.today
    ]
    require(not ended, "a contract has run out", recipients=ended)
    open_doors = [name for name, one in ctx.policy.recipients.items() if one.hosts and not one.fields]
    require(not open_doors, "a recipient has hosts and no list of fields", recipients=open_doors)
    return {name: _left(ctx, name) for name, one in ctx.policy.recipients.items() if one.hosts}
