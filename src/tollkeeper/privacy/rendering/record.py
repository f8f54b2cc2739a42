"""The record of processing activities (Art. 30(1) GDPR), from the same tree as the page."""

from __future__ import annotations

import datetime as dt

from tollkeeper.core.policy_nodes import EEA, Purpose
from tollkeeper.core.policy_rules import overdue
from tollkeeper.core.policy_schema import Policy
from tollkeeper.privacy.rendering.data import titles
from tollkeeper.privacy.rendering.document import (
    Block,
    Document,
    Facts,
    Head,
    Items,
    Line,
    Mark,
    Para,
    Section,
    Table,
    line,
)
from tollkeeper.privacy.rendering.phrases import Phrases, load


def render_record(policy: Policy, language: str, today: dt.date) -> Document:
    """The record; ``today`` decides which contracts are shown as expired."""
    p = load(language)
    activities = tuple(
        block for name, purpose in policy.purposes.items() for block in _activity(policy, name, purpose, p)
    )
    sections = (
        Section("record", "", (Para(line(p("record.intro"))),)),
        Section("parties", p("record.parties"), (Facts(_parties(policy, p)),)),
        Section("activities", p("record.activity"), activities),
        Section("contracts", p("record.contracts"), (_contracts(policy, p, today),)),
        Section("measures", p("record.measures"), (_measures(policy, p),)),
        Section("screening", p("record.screening"), (Para(line(p("record.screening_value"))),)),
    )
    return Document(language, p("record.title"), sections)


def _parties(policy: Policy, p: Phrases) -> tuple[tuple[str, Line], ...]:
    who = policy.controller
    rows = [
        (p("who.name"), line(Mark(who.legal_name), p("mark.comma"), ", ".join(who.address))),
        (p("who.mail"), line(who.email)),
        (p("who.dpo"), line(policy.dpo.name or p("mark.none"))),
        (p("who.eu"), line(policy.representatives.eu.name or p("mark.none"))),
        (p("who.uk"), line(policy.representatives.uk.name or p("mark.none"))),
        (p("who.authority"), line(policy.authority.name)),
    ]
    return tuple(rows)


def _activity(policy: Policy, name: str, purpose: Purpose, p: Phrases) -> list[Block]:
    names = tuple(key for key, category in policy.categories.items() if name in category.purposes)
    receivers = [one for one in policy.recipients.values() if name in one.purposes]
    abroad = [
        f"{one.name} ({p(f'tool.{one.transfer.tool}')})"
        for one in receivers
        if {one.country, *one.countries} - EEA
    ]
    rules = dict.fromkeys(rule for key in names for rule in policy.categories[key].keep)
    erasure = p.semicolon.join(policy.keep[rule].text[p.language] for rule in rules)
    rows = (
        (p("head.what_for"), line(purpose.text[p.language])),
        (p("head.basis"), line(p(f"basis.{purpose.basis}"))),
        (p("record.subjects"), line(p("record.subjects_value"))),
        (
            p("record.categories"),
            line(titles(policy, "categories", names, p) or p("use.counts_only")),
        ),
        (p("record.recipients"), line(p.semicolon.join(one.name for one in receivers) or p("mark.none"))),
        (p("record.transfers"), line(p.semicolon.join(abroad) or p("mark.none"))),
        (p("record.erasure"), line(erasure or p("mark.none"))),
    )
    return [Head(purpose.title[p.language], f"activity-{name}"), Facts(rows)]


def _contracts(policy: Policy, p: Phrases, today: dt.date) -> Table:
    ran_out = {(f.path[1], f.path[2]) for f in overdue(policy, today) if f.path[0] == "recipients"}
    rows = []
    for name, one in policy.recipients.items():
        if one.role == "authority":
            continue
        until = p("share.until", date=p.date(one.contract.until)) if one.contract.until else p("mark.none")
        expired = (" ", Mark(p("record.expired"), "badge")) if (name, "contract") in ran_out else ()
        rows.append(
            (
                line(Mark(one.name)),
                line(p(f"role.{one.role}")),
                line(one.contract.reference),
                line(until, *expired),
                line(p(f"tool.{one.transfer.tool}")),
            )
        )
    heads = (p("head.recipient"), p("head.task"), p("head.contract"), p("head.period"), p("head.tool"))
    return Table(p("record.contracts"), heads, tuple(rows))


def _measures(policy: Policy, p: Phrases) -> Items:
    return Items(
        tuple(
            line(Mark(one.title[p.language]), p("mark.colon"), one.text[p.language])
            for one in policy.security.measures.values()
        )
    )
