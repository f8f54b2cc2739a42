"""What is collected, what for, and how long: three sections of the page."""

from __future__ import annotations

from tollkeeper.core.policy_nodes import Category, Purpose
from tollkeeper.core.policy_schema import KeepRule, Passing, Policy
from tollkeeper.privacy.rendering.document import Block, Facts, Head, Line, Mark, Para, Table, line
from tollkeeper.privacy.rendering.phrases import Phrases

GROUPS = ("account", "orders", "delivery", "support", "technical", "usage", "rights")


def titles(policy: Policy, kind: str, names: tuple[str, ...], p: Phrases) -> str:
    """The titles of categories, purposes or sources in a row."""
    nodes = getattr(policy, kind)
    return p.semicolon.join(nodes[name].title[p.language] for name in names)


def kept(policy: Policy, category: Category, p: Phrases) -> Line:
    """How long a category is kept: every rule that applies to it, the longest one last."""
    rules = sorted((policy.keep[name] for name in category.keep), key=lambda rule: rule.days)
    return line(p.semicolon.join(rule.text[p.language] for rule in rules))


def collection(policy: Policy, p: Phrases) -> list[Block]:
    """Every category, group by group, then the sources."""
    blocks: list[Block] = [Para(line(policy.collection.text[p.language]))]
    heads = (p("head.kind"), p("head.source"), p("head.used_for"), p("head.kept"))
    for group in GROUPS:
        members = [category for category in policy.categories.values() if category.group == group]
        if members:
            blocks.append(Head(p(f"group.{group}"), f"data-{group}"))
            blocks.append(Table(p(f"group.{group}"), heads, tuple(_row(policy, one, p) for one in members)))
    if policy.passing:
        blocks.append(Head(p("passing.title")))
        heads = (p("head.kind"), p("head.used_for"), p("passing.to"), p("head.kept"))
        rows = tuple(_passing(policy, one, p) for one in policy.passing.values())
        blocks.append(Table(p("passing.title"), heads, rows))
    blocks.append(Head(p("data.not_collected")))
    blocks.append(Para(line(policy.collection.not_collected[p.language])))
    blocks.append(Head(p("head.sources")))
    blocks.append(
        Facts(
            tuple(
                (source.title[p.language], line(source.text[p.language]))
                for source in policy.sources.values()
            )
        )
    )
    return blocks


def _row(policy: Policy, category: Category, p: Phrases) -> tuple[Line, ...]:
    optional = (" ", Mark(p("data.optional"), "badge")) if category.optional else ()
    return (
        line(Mark(category.title[p.language]), *optional, p("mark.colon"), category.text[p.language]),
        line(titles(policy, "sources", category.sources, p)),
        line(titles(policy, "purposes", category.purposes, p)),
        kept(policy, category, p),
    )


def _passing(policy: Policy, one: Passing, p: Phrases) -> tuple[Line, ...]:
    return (
        line(Mark(one.title[p.language]), p("mark.colon"), one.text[p.language]),
        line(titles(policy, "purposes", one.purposes, p)),
        line(p.semicolon.join(policy.recipients[name].name for name in one.to)),
        line(p("passing.kept")),
    )


def use(policy: Policy, p: Phrases) -> list[Block]:
    """Purposes and bases in a table, then each purpose with its reasons."""
    rows = tuple(
        (line(Mark(one.title[p.language])), line(one.text[p.language]), line(p(f"basis.{one.basis}")))
        for one in policy.purposes.values()
    )
    blocks: list[Block] = [
        Para(line(policy.use.text[p.language])),
        Table(p("section.use"), (p("head.purpose"), p("head.what_for"), p("head.basis")), rows),
        Head(p("use.aggregates")),
        Para(line(policy.use.aggregates[p.language])),
    ]
    if policy.duties:
        duties = tuple(
            (line(Mark(duty.title[p.language])), line(duty.reference), line(duty.period[p.language]))
            for duty in policy.duties.values()
        )
        blocks.append(Head(p("use.duties_head")))
        blocks.append(Table(p("use.duties_head"), (p("head.duty"), p("head.law"), p("head.period")), duties))
    for name, purpose in policy.purposes.items():
        blocks.append(Head(purpose.title[p.language], f"purpose-{name}"))
        blocks.append(Facts(_purpose(policy, name, purpose, p)))
    return blocks


def _purpose(policy: Policy, name: str, purpose: Purpose, p: Phrases) -> tuple[tuple[str, Line], ...]:
    kinds = [one.title[p.language] for one in policy.categories.values() if name in one.purposes]
    rows: list[tuple[str, Line]] = [
        (p("head.basis"), line(p(f"basis.{purpose.basis}"))),
        (p("use.necessity"), line(purpose.necessity[p.language])),
    ]
    if purpose.interest:
        rows.append((p("use.interest"), line(purpose.interest[p.language])))
    if purpose.balancing and purpose.balanced_on:
        weighed = p("use.balanced_on", date=p.date(purpose.balanced_on))
        rows.append(
            (p("use.balancing"), line(purpose.balancing[p.language] + p("mark.space"), f"({weighed})"))
        )
    if purpose.duties:
        rows.append((p("use.duties"), line(titles(policy, "duties", purpose.duties, p))))
    data = p("use.counts_only") if purpose.aggregates_only else p.semicolon.join(kinds)
    rows += [
        (p("use.kinds"), line(data)),
        (p("use.provision"), line(p(f"provision.{purpose.provision}"))),
        (p("use.consequence"), line(purpose.consequence[p.language])),
    ]
    return tuple(rows)


def retention(policy: Policy, p: Phrases) -> list[Block]:
    """Every keep rule with its kinds of data, and what closing an account does."""
    heads = (p("head.data"), p("head.how_long"), p("head.why"), p("head.then"))
    rows = tuple(_rule(policy, name, rule, p) for name, rule in policy.keep.items())
    return [
        Para(line(policy.retention.text[p.language])),
        Table(p("keep.table"), heads, rows),
        Head(p("keep.closure")),
        Para(line(policy.retention.closure[p.language])),
        Para(line(policy.retention.after[p.language])),
        Para(line(p("keep.inactive", n=policy.retention.inactive_months))),
    ]


def _rule(policy: Policy, name: str, rule: KeepRule, p: Phrases) -> tuple[Line, ...]:
    kinds = [one.title[p.language] for one in policy.categories.values() if name in one.keep]
    law = f" ({rule.law})" if rule.law else ""
    return (
        line(Mark(p.semicolon.join(kinds) or p("keep.internal"))),
        line(rule.text[p.language]),
        line(rule.ground[p.language] + law),
        line(p(f"keep.{rule.then}")),
    )
