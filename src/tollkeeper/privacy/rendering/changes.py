"""What changed between two versions, word by word, material changes first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tollkeeper.core.policy_diff import Change, word_diff
from tollkeeper.core.policy_schema import Policy
from tollkeeper.privacy.rendering.document import (
    Document,
    Line,
    Mark,
    Para,
    Piece,
    Plain,
    Section,
    Table,
    line,
)
from tollkeeper.privacy.rendering.phrases import Phrases, load

_PARTS = {
    "policy": "top",
    "promises": "top",
    "purposes": "use",
    "duties": "use",
    "categories": "collection",
    "sources": "collection",
    "passing": "collection",
    "recipients": "sharing",
    "keep": "retention",
    "clocks": "rights",
    "representatives": "controller",
    "dpo": "controller",
    "authority": "complaint",
    "breach": "security",
    "regimes": "ccpa",
}


def render_changes(
    number: int, changes: Sequence[Change], language: str, policies: Sequence[Policy] = ()
) -> Document:
    """The page of differences. Texts of other languages than ``language`` are left out.

    ``policies`` (the new one, then the old one) give their names to what changed.
    """
    p = load(language)
    shown = [change for change in changes if _of(change, language)]
    sections = []
    for name, chosen in (
        ("material", [change for change in shown if change.reason]),
        ("wording", [change for change in shown if not change.reason]),
    ):
        if chosen:
            heads = (p("diff.where"), p("diff.what"), p("diff.effect"))
            rows = tuple(
                (_where(change, p, policies), _what(change, p), _effect(change, p)) for change in chosen
            )
            title = p(f"diff.{name}")
            sections.append(Section(name, title, (Table(title, heads, rows),)))
    if not sections:
        text = p("diff.first") if number == 1 else p("diff.none")
        sections.append(Section("none", "", (Para(line(text)),)))
    return Document(language, p("diff.title", n=number), tuple(sections))


def _of(change: Change, language: str) -> bool:
    """False for a text in another language: its twin is shown instead."""
    return change.path[-1] not in ("en", "zh") or change.path[-1] == language


def _where(change: Change, p: Phrases, policies: Sequence[Policy]) -> Line:
    top = str(change.path[0])
    part = _PARTS.get(top, top)
    title = p.find(f"section.{part}") or p("glance.title")
    rest = [str(step) for step in change.path[1:] if step not in ("en", "zh")]
    if rest:
        named = (_name(policy, top, rest[0], p) for policy in policies)
        rest[0] = next(filter(None, named), rest[0])
    return line(Mark(title), p("mark.colon") + " › ".join(rest) if rest else "")


def _name(policy: Policy, top: str, key: str, p: Phrases) -> str:
    """What people call a node: its title or name; of a keep rule the kinds of data it is for."""
    if top == "keep":
        kinds = [one.title[p.language] for one in policy.categories.values() if key in one.keep]
        return p.comma.join(kinds)
    nodes = getattr(policy, top)
    node = nodes.get(key) if isinstance(nodes, dict) else None
    title = getattr(node, "title", None)
    return title[p.language] if title is not None else getattr(node, "name", "")


def _what(change: Change, p: Phrases) -> Line:
    before, after = _texts(change.before, p), _texts(change.after, p)
    if change.kind == "added":
        return line(Mark(after, "new"))
    if change.kind == "removed":
        return line(Mark(before, "gone"))
    pieces: list[Piece] = []
    for op, text in word_diff(before, after):
        pieces.append(Plain(text) if op == "same" else Mark(text, op))
    return tuple(pieces)


def _effect(change: Change, p: Phrases) -> Line:
    return line(p(f"material.{change.reason or 'wording'}"))


def _texts(value: Any, p: Phrases) -> str:
    """A value as words: of a node its title or text, of a list its members."""
    if isinstance(value, dict):
        for key in (p.language, "en", "title", "name", "text", "purpose"):
            if value.get(key):
                return _texts(value[key], p)
        return p.semicolon.join(
            f"{key}: {_texts(part, p)}" for key, part in value.items() if part is not None
        )
    if isinstance(value, list):
        return p.semicolon.join(_texts(part, p) for part in value)
    if isinstance(value, bool):
        return p("mark.yes") if value else p("mark.no")
    return "" if value is None else str(value)
