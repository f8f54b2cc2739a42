"""The notice that the California Consumer Privacy Act asks for."""

from __future__ import annotations

from tollkeeper.core.policy_schema import Policy
from tollkeeper.privacy.rendering.document import (
    Block,
    Document,
    Facts,
    Line,
    Link,
    Mark,
    Para,
    Section,
    Table,
    line,
)
from tollkeeper.privacy.rendering.phrases import Phrases, load


def section(policy: Policy, p: Phrases) -> list[Block]:
    """The part of the page for people in California."""
    ccpa = policy.regimes.ccpa
    heads = (p("head.group"), p("head.collected"), p("head.disclosed"), p("head.sold"))
    rights = tuple((p(f"right.{name}"), line(p(f"right.{name}_text"))) for name in policy.rights.ccpa)
    blocks: list[Block] = []
    if ccpa.reviewed_on:
        blocks.append(Para(line(p("ccpa.intro", date=p.date(ccpa.reviewed_on)))))
    if ccpa.sale:
        blocks.append(Para(line(ccpa.sale[p.language]), "note"))
    blocks.append(Table(p("ccpa.table"), heads, tuple(_letters(policy, p))))
    elsewhere = p("ccpa.retention", section=p("section.retention"), collection=p("section.collection"))
    clocks = p(
        "ccpa.clocks",
        ack=policy.clocks.ccpa_acknowledge_working_days,
        answer=policy.clocks.ccpa_answer_days,
        extend=policy.clocks.ccpa_extend_days,
    )
    blocks += [Para(line(elsewhere)), Facts(rights), Para(line(clocks))]
    for title, words in ((p("ccpa.agents"), ccpa.agents), (p("ccpa.retaliation"), ccpa.retaliation)):
        if words:
            blocks.append(Para(line(Mark(title), p("mark.colon"), words[p.language])))
    if ccpa.metrics:
        blocks.append(Para(line(Link(p("ccpa.metrics"), ccpa.metrics))))
    return blocks


def _letters(policy: Policy, p: Phrases) -> list[tuple[Line, ...]]:
    letters = sorted({letter for category in policy.categories.values() for letter in category.ccpa})
    rows: list[tuple[Line, ...]] = []
    for letter in letters:
        names = [name for name, category in policy.categories.items() if letter in category.ccpa]
        got = [
            recipient.name
            for recipient in policy.recipients.values()
            if recipient.role != "authority" and set(recipient.categories) & set(names)
        ]
        rows.append(
            (
                line(Mark(p(f"letter.{letter}"))),
                line(p.semicolon.join(policy.categories[name].title[p.language] for name in names)),
                line(p.comma.join(got) or p("mark.none")),
                line(p("ccpa.none")),
            )
        )
    return rows


def render_california(policy: Policy, language: str) -> Document:
    """The notice as a document of its own."""
    p = load(language)
    return Document(
        language, p("section.ccpa"), (Section("ccpa", p("section.ccpa"), tuple(section(policy, p))),)
    )
