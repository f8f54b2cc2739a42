"""Recipients of other kinds, and countries beyond the EEA."""

from __future__ import annotations

from tollkeeper.core.policy_nodes import EEA
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.probe import Broken, Evidence, probe, require
from tollkeeper.proofs.sharing import under_contract

_NAMES = (b"cloudflare", b"fastly", b"akamai")


@probe("G-28")
def analytics(ctx: Context) -> Evidence:
    """No analytics or security service is told anything, unless the register names it."""
    named = {
        name: one.name for name, one in ctx.policy.recipients.items() if one.kind in ("analytics", "security")
    }
    policy = ctx.get("/").headers.get("content-security-policy", "")
    require("default-src 'self'" in policy, "pages may report elsewhere")
    return {"services": named or "none", "content-security-policy": policy}


@probe("G-29")
def support_tooling(ctx: Context) -> Evidence:
    """Support is built in; the mail relay is the only one who carries its words."""
    names = [name for name, one in ctx.policy.recipients.items() if one.kind == "support"]
    relay = [name for name, one in ctx.policy.recipients.items() if one.kind == "mail"]
    if not relay:
        raise Broken("the policy names no mail relay")
    return under_contract(ctx, relay[0], {"support_tools_of_others": names, "mail_relay": relay[0]})


@probe("G-47")
def named_services(ctx: Context) -> Evidence:
    """A security service is named on the page only if it stands in the register with a contract."""
    page = ctx.get("/privacy/").body.lower()
    register = " ".join(one.name.lower() for one in ctx.policy.recipients.values()).encode()
    claimed = [name.decode() for name in _NAMES if name in page and name not in register]
    require(not claimed, "the page names a service that the register does not have", services=claimed)
    kinds = [name for name, one in ctx.policy.recipients.items() if one.kind in ("security", "hosting")]
    if not kinds:
        raise Broken("nobody in the register guards the machines")
    return under_contract(ctx, kinds[0], {"named_in_register": kinds})


def _abroad(ctx: Context) -> dict[str, list[str]]:
    return {
        name: sorted({one.country, *one.countries} - EEA)
        for name, one in ctx.policy.recipients.items()
        if {one.country, *one.countries} - EEA and one.role != "authority"
    }


@probe("G-51")
def countries(ctx: Context) -> Evidence:
    """Every recipient and every store has its country."""
    places = {name: one.country for name, one in ctx.policy.transfers.places.items()}
    recipients = {name: [one.country, *one.countries] for name, one in ctx.policy.recipients.items()}
    require(bool(places), "no store has a country")
    return {"stores": places, "recipients": recipients, "beyond_the_eea": _abroad(ctx)}


@probe("G-52", "G-53")
def tools(ctx: Context) -> Evidence:
    """What carries data beyond the EEA, until when, and that copies may be had."""
    abroad = _abroad(ctx)
    toolless = [name for name in abroad if ctx.policy.recipients[name].transfer.tool == "none"]
    require(not toolless, "data goes abroad without a tool", recipients=toolless)
    named = {
        name: {
            "tool": one.transfer.tool,
            "reference": one.transfer.reference,
            "until": str(one.transfer.until),
        }
        for name, one in ctx.policy.recipients.items()
        if name in abroad
    }
    require(bool(ctx.policy.transfers.copies.en), "nobody says how to get a copy of the safeguards")
    first = min(abroad, key=lambda name: str(ctx.policy.recipients[name].transfer.until), default="") or next(
        iter(ctx.policy.recipients)
    )
    return under_contract(ctx, first, {"abroad": abroad, "tools": named})
