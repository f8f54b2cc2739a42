"""What people can do about their data, done with a planted person in this very run."""

from __future__ import annotations

import json
import time

from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as account_services
from tollkeeper.privacy import choices, requests
from tollkeeper.privacy.copying import copy_of
from tollkeeper.privacy.rendering.notices import FORMS, render_notice
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.planting import planted
from tollkeeper.proofs.probe import Evidence, probe, require


@probe("T-31", "G-37", "G-38")
def access_and_correct(ctx: Context) -> Evidence:
    """A planted person's copy has every declared column and nobody else's rows; a correction is read back."""
    with planted() as canary:
        parts = {part.label: (part, list(part.rows)) for part in copy_of(canary.subject)}
        wanted = {
            label
            for label, entry in ctx.inventory.models.items()
            if entry.personal and entry.kind not in ("nobody", "detached")
        }
        missing = sorted(wanted - set(parts))
        require(not missing, "the copy leaves tables out", tables=missing)
        text = str([rows for _, rows in parts.values()])
        for what in ("nickname", "ticket"):
            require(canary.needles[what] in text, f"the copy lacks the {what}")
        require(canary.needles["address"].lower() in text, "the copy lacks the address")
        for what in ("password", "second factor", "session id"):
            require(canary.needles[what] not in text, f"the copy holds a secret: the {what}")
        others = [row for row in parts["accounts.User"][1] if row["id"] != str(canary.subject)]
        require(not others, "the copy holds another person", rows=len(others))
        corrected = "Corrected name"
        account_services.set_nickname(canary.subject, corrected)
        require(accounts.display_name(canary.subject) == corrected, "a correction was not kept")
        after = str([list(part.rows) for part in copy_of(canary.subject)])
        require(canary.needles["nickname"] not in after, "the old value is still in the copy")
        rows = {label: len(found) for label, (_, found) in parts.items() if found}
        withheld = sorted(f"{label}.{name}" for label, (part, _) in parts.items() for name in part.withheld)
    return {
        "tables": len(parts),
        "columns": sum(len(part.columns) for part, _ in parts.values()),
        "coverage": "100 %",
        "rows_of_the_planted_person": rows,
        "withheld_secrets": withheld,
        "corrected": 1,
    }


@probe("G-06")
def at_any_time(ctx: Context) -> Evidence:
    """Somebody who was locked out can still ask."""
    with planted() as canary:
        account_services.freeze(canary.subject)
        number = requests.open_request("access", channel="mail", subject=canary.subject)
        (row,) = [one for one in requests.requests_of(canary.subject) if one.number == number]
        days = (row.due_on - row.received_at.date()).days if row.due_on else None
    stranger = ctx.get(ctx.policy.rights.public_form)
    require(stranger.status == 200, "the public form is closed", status=stranger.status)
    require(days is not None, "a request has no clock")
    return {
        "asked_while_locked_out": 1,
        "answer_due_in_days": days,
        "public_form": stranger.status,
        **requests.counts(),
    }


@probe("G-36")
def informed(ctx: Context) -> Evidence:
    """Every form has its notice, made from the policy, and pages lead to the policy."""
    made = {name: len(render_notice(ctx.policy, name, "en").sentences) for name in FORMS}
    require(
        all(made.values()), "a form has no notice", forms=[name for name, count in made.items() if not count]
    )
    pages = {path: ctx.get(path) for path in ("/", "/accounts/signup/", ctx.policy.contact.form)}
    blind = sorted(path for path, answer in pages.items() if b"/privacy/" not in answer.body)
    require(not blind, "a page with a form does not lead to the policy", pages=blind)
    return {"sentences_by_form": made, "pages_that_lead_there": sorted(pages)}


@probe("G-41")
def portable(ctx: Context) -> Evidence:
    """What a planted person gave comes back as JSON that reads the same."""
    with planted() as canary:
        given = {
            part.label: [{name: row[name] for name in part.provided} for row in part.rows]
            for part in copy_of(canary.subject)
            if part.provided
        }
        text = json.dumps(given)
        again = json.loads(text)
        nickname = again["accounts.User"][0]["nickname"] == canary.needles["nickname"]
        address = again["account.EmailAddress"][0]["email"] == canary.needles["address"].lower()
    require(again == given and nickname and address, "what was given does not come back")
    return {"format": "application/json", "bytes": len(text), "tables": sorted(given), "read_back": True}


@probe("T-34", "G-42")
def withdraw(ctx: Context) -> Evidence:
    """Giving and withdrawing take the same call, and the next question knows."""
    with planted() as canary:
        before = choices.may(canary.subject, "improve")
        started = time.perf_counter()
        choices.choose(
            "object", "improve", subject=canary.subject, source="console", text="Leave my calls out."
        )
        after = choices.may(canary.subject, "improve")
        took = (time.perf_counter() - started) * 1000
        choices.choose("allow", "improve", subject=canary.subject, source="console", text="Count them again.")
        again = choices.may(canary.subject, "improve")
        lines = choices.history(canary.subject)
    require((before, after, again) == (True, False, True), "a choice does not take effect at once")
    require(
        all(len(line.text_hash) == 64 and line.policy_version > 0 for line in lines), "a choice is not proved"
    )
    on_consent = sorted(name for name, one in ctx.policy.purposes.items() if one.basis == "consent")
    return {
        "effect_after_ms": round(took, 1),
        "lines_written": len(lines),
        "withdrawn_at": lines[-1].chosen_at.isoformat(),
        "policy_version": lines[0].policy_version,
        "purposes_on_consent": on_consent,
    }


@probe("T-35", "G-43", "G-69")
def channels(ctx: Context) -> Evidence:
    """The ways to ask are open to a stranger: form, contact page, addresses."""
    paths = {"request": ctx.policy.rights.public_form, "contact": ctx.policy.contact.form}
    found = {name: ctx.get(path) for name, path in paths.items()}
    closed = {name: answer.status for name, answer in found.items() if answer.status != 200}
    require(not closed, "a way to ask is closed", pages=closed)
    formless = sorted(name for name, answer in found.items() if b"<form" not in answer.body)
    require(not formless, "a page has no form", pages=formless)
    return {
        "open": {paths[name]: answer.status for name, answer in found.items()},
        "mail": ctx.policy.controller.email,
    }


@probe("T-40", "G-67")
def contact(ctx: Context) -> Evidence:
    """The contact page stands and names the addresses of the policy."""
    path = ctx.policy.contact.form
    answer = ctx.get(path)
    require(answer.status == 200, "the contact page does not answer", status=answer.status)
    named = ctx.policy.contact.support_email
    require(named.encode() in answer.body, "the contact page does not name the support address")
    return {
        "page": path,
        "status": answer.status,
        "addresses": 3,
        "languages": list(ctx.policy.contact.languages),
    }
