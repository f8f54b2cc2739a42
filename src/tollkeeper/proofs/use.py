"""What data is used for: purposes, their data, and the work that declares them."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from typing import Any

from django.db.models import Count, Sum

from tollkeeper import flows
from tollkeeper.core.personal import Personal
from tollkeeper.kit.job_kinds import KINDS
from tollkeeper.proofs import census
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.probe import Evidence, probe, require
from tollkeeper.support import queries as support
from tollkeeper.usage import queries as usage

_CACHE_KEY = re.compile(r"[^:]*:\d+:[A-Za-z0-9_-]{24}")
_SAMPLE_CUSTOMERS = 25
_WINDOW_DAYS = 7


def _purpose(ctx: Context, *names: str) -> dict[str, Any]:
    """Purpose → categories → columns; every pair must be one that the policy names too."""
    made: dict[str, Any] = {}
    for name in names:
        require(name in ctx.policy.purposes, f"the policy has no purpose {name}")
        found: dict[str, int] = Counter(column.category for column in ctx.columns(purpose=name).values())
        require(bool(found), f"no column serves the purpose {name}")
        made[name] = {"basis": ctx.policy.purposes[name].basis, "categories": dict(sorted(found.items()))}
    strange = _undeclared(ctx, names)
    require(not strange, "columns are used for what the policy does not say", columns=strange)
    return made


def _undeclared(ctx: Context, names: tuple[str, ...]) -> list[str]:
    """``column: purpose`` pairs of these purposes that stand in an inventory, not in the policy."""
    return sorted(
        f"{name}: {purpose}"
        for name, column in ctx.columns().items()
        for purpose in column.purposes
        if purpose in names and purpose not in _allowed(ctx, column)
    )


def _allowed(ctx: Context, column: Personal) -> tuple[str, ...]:
    category = ctx.policy.categories.get(column.category)
    return tuple(category.purposes) if category is not None else ()


@probe("T-10", "G-04", "G-18")
def provide(ctx: Context) -> Evidence:
    """Every kind of work declares a purpose of the policy."""
    flows.register()
    kinds = Counter(kind.purpose for kind in KINDS.values())
    strange = sorted({kind.purpose for kind in KINDS.values()} - set(ctx.policy.purposes))
    require(not strange, "work is done for a purpose that the policy does not have", purposes=strange)
    require(bool(kinds), "no kind of work is known")
    return {"purposes": _purpose(ctx, "delivery", "notice"), "work_by_purpose": dict(kinds)}


@probe("T-11", "G-16")
def authenticate(ctx: Context) -> Evidence:
    """What signing in uses."""
    return {"purposes": _purpose(ctx, "auth"), "sessions": census.count("sessions.Session")}


@probe("T-12", "G-17", "G-20")
def bill_and_prevent_fraud(ctx: Context) -> Evidence:
    """What orders and security use; decisions without a person are named, each with its review."""
    decisions = ctx.policy.automated.decisions
    reasons = Counter(str(value) for value in census.raw_values("delivery.Suspension", "reason"))
    balanced = ctx.policy.purposes["security"].balanced_on
    require(balanced is not None, "the interest in security was never balanced")
    return {
        "purposes": _purpose(ctx, "order", "security"),
        "decisions_without_a_person": sorted(decisions),
        "each_has_a_review": all(str(one.review.en) for one in decisions.values()),
        "suspensions_by_reason": dict(reasons),
        "interest_balanced_on": str(balanced),
    }


@probe("T-13")
def quotas_and_limits(ctx: Context) -> Evidence:
    """Counters know keys and customers by number, and nobody by name."""
    balance = census.model_of("usage.Balance")
    columns = {field.name for field in balance._meta.concrete_fields}
    texts = {
        f.name for f in balance._meta.concrete_fields if f.get_internal_type() in ("CharField", "TextField")
    }
    require(texts <= {"unit"}, "a balance holds text", columns=sorted(texts))
    names = [str(value) for value in census.raw_values("accounts.CacheEntry", "cache_key")]
    clear = [name for name in names if _CACHE_KEY.fullmatch(name) is None]
    require(not clear, "an entry of the shared cache has a name in the clear", count=len(clear))
    return {
        "purposes": _purpose(ctx, "delivery"),
        "columns_of_a_balance": sorted(columns),
        "balances": census.count("usage.Balance"),
        "cache_entries": len(names),
    }


@probe("T-14", "G-21")
def improve(ctx: Context) -> Evidence:
    """Improvement reads counts: no personal column serves it."""
    purpose = ctx.policy.purposes["improve"]
    require(purpose.aggregates_only, "the policy lets improvement read more than counts")
    served = sorted(ctx.columns(purpose="improve"))
    require(not served, "personal columns serve improvement", columns=served)
    flows.register()
    work = sorted(name for name, kind in KINDS.items() if kind.purpose == "improve")
    return {"personal_columns": 0, "least_people_behind_a_figure": ctx.policy.use.k, "work": work}


@probe("T-15", "G-19")
def answer(ctx: Context) -> Evidence:
    """Inquiries and complaints, with what waits and what is late."""
    counts = support.counts()
    require(counts["overdue"] == 0, "answers are overdue", **counts)
    clocks = ctx.policy.clocks
    return {
        "purposes": _purpose(ctx, "support"),
        **counts,
        "answer_days": clocks.support_answer_days,
        "complaint_days": clocks.complaint_answer_days,
    }


@probe("T-16")
def duties(ctx: Context) -> Evidence:
    """Each legal duty has a reference and a period."""
    named = {
        name: {"reference": duty.reference, "period": duty.period.en}
        for name, duty in ctx.policy.duties.items()
    }
    require(bool(named), "no duty is named")
    short = [
        name
        for name, duty in named.items()
        if not re.search(r"\d", duty["reference"]) and name != "orders_of_courts"
    ]
    require(not short, "a duty has no reference", duties=short)
    return {"duties": named, "purposes": _purpose(ctx, "legal")}


@probe("T-32")
def dashboard_agrees(ctx: Context) -> Evidence:
    """Dashboard, call log and ledger say the same of the customers who called most recently."""
    call = census.model_of("usage.Call")._base_manager
    entry = census.model_of("usage.Entry")._base_manager
    first = ctx.today - dt.timedelta(days=_WINDOW_DAYS - 1)
    since = dt.datetime.combine(first, dt.time(), dt.UTC)
    recent = list(dict.fromkeys(call.order_by("-pk").values_list("customer_id", flat=True)[:2_000]))
    compared = calls = 0
    for customer_id in recent[:_SAMPLE_CUSTOMERS]:
        shown = [day for day in usage.daily_usage(customer_id, days=_WINDOW_DAYS) if day.day >= first]
        logged = call.filter(customer_id=customer_id, called_at__gte=since)
        facts = logged.aggregate(number=Count("pk"), units=Sum("units"), unpaid=Sum("unpaid"))
        said = {"calls": sum(day.calls for day in shown), "units": sum(day.units for day in shown)}
        found = {"calls": facts["number"], "units": facts["units"] or 0}
        require(said == found, "dashboard and call log disagree", dashboard=said, log=found)
        if not call.filter(customer_id=customer_id, called_at__lt=since).exists():
            booked = (
                entry.filter(customer_id=customer_id, account="used").aggregate(total=Sum("amount"))["total"]
                or 0
            )
            paid = found["units"] - (facts["unpaid"] or 0)
            require(abs(booked) == paid, "call log and ledger disagree", log=paid, ledger=abs(booked))
        compared += 1
        calls += found["calls"]
    return {"customers_compared": compared, "calls_compared": calls, "days": _WINDOW_DAYS, "differences": 0}
