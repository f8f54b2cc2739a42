"""Age and minors: what is asked, what is refused, how a report is taken."""

from __future__ import annotations

from django.conf import settings

from tollkeeper.accounts.forms import SignUp
from tollkeeper.core.policy_nodes import EEA
from tollkeeper.proofs import census
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.probe import Evidence, probe, require

_DATES = {"birth", "birthday", "birthdate", "date_of_birth", "age"}


@probe("T-36", "G-54")
def age(ctx: Context) -> Evidence:
    """The form asks for a word on age, refuses without it, and no column could hold a date of birth."""
    children = ctx.policy.children
    form = SignUp(data={"email": "child@example.org", "password1": "correct-h0rse battery"})
    require(not form.is_valid() and "old_enough" in form.errors, "sign-up passes without a word on age")
    require(children.contract_age == settings.SIGN_UP_AGE, "the form asks for another age than the policy")
    dates = [
        f"{label}.{name}"
        for label, entry in ctx.inventory.models.items()
        for name in entry.columns
        if name.lower() in _DATES
    ]
    require(not dates, "a column could hold an age or a date of birth", columns=dates)
    low = {country: years for country, years in children.ages.items() if years < 13 or years > 18}
    require(not low, "an age of the table is outside the law's range", ages=low)
    return {
        "asked_at_sign_up": settings.SIGN_UP_AGE,
        "refused_without_it": 1,
        "ages_by_country": children.ages,
        "eea_countries_listed": len(EEA & set(children.ages)),
        "otherwise": children.default_age,
    }


@probe("T-37", "G-55", "G-56")
def report(ctx: Context) -> Evidence:
    """The form for reports stands open to everybody; no report waits longer than promised."""
    children = ctx.policy.children
    page = ctx.get(children.form)
    require(
        page.status == 200 and b"<form" in page.body, "the form for reports is closed", status=page.status
    )
    reports = census.model_of("privacy.Request")._base_manager.filter(kind="minor")
    late = reports.filter(answered_at__isnull=True, due_on__lt=ctx.today).count()
    require(late == 0, "a report about a minor waits too long", overdue=late)
    return {
        "form": children.form,
        "status": page.status,
        "reports": reports.count(),
        "waiting": reports.filter(answered_at__isnull=True).count(),
        "decide_hours": children.decide_hours,
        "erase_hours": children.erase_hours,
    }
