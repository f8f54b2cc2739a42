"""Who answers for it: controller, team, badges, and that nothing rests on consent by use."""

from __future__ import annotations

from allauth.account import app_settings
from django.conf import settings

from tollkeeper.core import policy_rules
from tollkeeper.core.policy_rules import overdue, placeholders
from tollkeeper.core.policy_wording import check_wording
from tollkeeper.privacy import checks
from tollkeeper.privacy.choices import history
from tollkeeper.proofs import census
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.planting import planted
from tollkeeper.proofs.probe import Evidence, NotUsed, probe, require

_CONTROL = ("contracts", "transfer tools", "balancing", "yearly review")


@probe("G-01")
def badges(ctx: Context) -> Evidence:
    """A badge stands only while every contract, tool and review behind it holds."""
    regimes = ctx.policy.regimes
    shown = [name for name, on in (("GDPR", regimes.gdpr.badge), ("CCPA", regimes.ccpa.badge)) if on]
    ran_out = overdue(ctx.policy, ctx.today)
    require(
        not (shown and ran_out), "a badge stands although something behind it ran out", items=len(ran_out)
    )
    ends = [
        day
        for one in ctx.policy.recipients.values()
        for day in (one.contract.until, one.transfer.until)
        if day is not None
    ]
    return {
        "badges": shown,
        "controls": list(_CONTROL),
        "contracts": len(ends),
        "first_end": str(min(ends, default="")),
        "ran_out": len(ran_out),
        "policy_hash": ctx.policy_hash,
    }


@probe("G-03")
def nothing_undeclared(ctx: Context) -> Evidence:
    """Every column of every database is declared with category, purpose and basis."""
    errors = [*checks.declared(), *checks.stored(databases=["default", "keystore"])]
    require(
        not errors, "something is stored that nobody declared", first=str(errors[0].msg) if errors else ""
    )
    columns = ctx.columns()
    baseless = sorted(
        {purpose for one in columns.values() for purpose in one.purposes} - set(ctx.policy.purposes)
    )
    require(not baseless, "a purpose has no basis", purposes=baseless)
    return {
        "models": len(ctx.inventory.models),
        "columns": sum(len(entry.columns) for entry in ctx.inventory.models.values()),
        "personal": len(columns),
        "undeclared": 0,
        "without_purpose": 0,
    }


@probe("G-08")
def controller(ctx: Context) -> Evidence:
    """The operator is named, with address and contacts; nothing is a placeholder where money is real."""
    named = ctx.policy.controller
    fakes = placeholders(ctx.policy)
    require(not (ctx.live and fakes), "the controller's entry still holds placeholders", fields=len(fakes))
    filled = {
        "legal_name": bool(named.legal_name),
        "address_lines": len(named.address),
        "country": named.country,
        "register": bool(named.register_entry),
        "email": bool(named.email),
    }
    return {**filled, "placeholders": len(fakes), "live": ctx.live, "policy_version": ctx.version.number}


@probe("G-09")
def use_is_no_consent(ctx: Context) -> Evidence:
    """Nothing runs on consent that nobody gave, and no sentence takes use for consent."""
    on_consent = [name for name, one in ctx.policy.purposes.items() if one.basis == "consent"]
    given = (
        census.model_of("privacy.Choice")._base_manager.filter(action="give", purpose__in=on_consent).count()
    )
    sentences = [finding for finding in check_wording(ctx.policy) if "consent-by-use" in finding.text]
    require(not sentences, "a sentence takes use for consent", count=len(sentences))
    with planted() as canary:
        lines = len(history(canary.subject))
    require(lines == 0, "a new account is said to have consented")
    return {"purposes_on_consent": on_consent, "consents_given": given, "consents_of_a_new_account": 0}


@probe("G-15")
def necessity(ctx: Context) -> Evidence:
    """Each purpose says why less would not do; each category is read by some purpose."""
    silent = sorted(name for name, one in ctx.policy.purposes.items() if not one.necessity.en.strip())
    require(not silent, "a purpose does not say why it is necessary", purposes=silent)
    found = policy_rules.check_tree(ctx.policy)
    require(not found, "the policy contradicts itself", findings=len(found))
    return {
        "necessity": {name: len(one.necessity.en) for name, one in ctx.policy.purposes.items()},
        "columns_by_purpose": {name: len(ctx.columns(purpose=name)) for name in ctx.policy.purposes},
    }


@probe("G-50")
def credentials(ctx: Context) -> Evidence:
    """What guards an account, and how many people use more than a password; small figures are not told."""
    guards = {
        "passkeys": "webauthn" in settings.MFA_SUPPORTED_TYPES,
        "no_enumeration": settings.ACCOUNT_PREVENT_ENUMERATION is True,
        "password_asked_again": settings.ACCOUNT_REAUTHENTICATION_REQUIRED is True,
        "wrong_passwords_slowed": bool(app_settings.RATE_LIMITS.get("login_failed")),
    }
    require(all(guards.values()), "an account is not guarded as it should be", **guards)
    k = ctx.policy.use.k
    factors = census.model_of("mfa.Authenticator")._base_manager
    facts: dict[str, object] = {}
    for kind in ("totp", "webauthn"):
        number = factors.filter(type=kind).values("user_id").distinct().count()
        facts[kind] = number if number >= k else f"below {k}"
    keys = census.model_of("delivery.Key")._base_manager.filter(state="active").count()
    return {**guards, **facts, "sessions_listed_for_their_owner": True, "active_keys": keys, "k": k}


@probe("G-68")
def team(ctx: Context) -> Evidence:
    """Somebody with a second factor answers requests, and none is late."""
    users = census.model_of("accounts.User")._base_manager.filter(is_staff=True, is_active=True)
    factors = census.model_of("mfa.Authenticator")._base_manager.exclude(type="recovery_codes")
    able = users.filter(pk__in=factors.values("user_id")).count()
    waiting = census.model_of("privacy.Request")._base_manager.filter(answered_at__isnull=True)
    late = waiting.filter(due_on__lt=ctx.today).count()
    require(late == 0, "a request is late", late=late)
    facts = {"staff": users.count(), "with_second_factor": able, "waiting": waiting.count(), "late": late}
    if not users.exists() and not ctx.live:
        raise NotUsed("the shop is not live and has no operator yet", **facts)
    require(able > 0, "nobody with a second factor can answer requests", **facts)
    return facts
