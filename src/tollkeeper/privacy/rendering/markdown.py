"""A document as Markdown (CommonMark with pipe tables)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tollkeeper.privacy.rendering.document import (
    Actions,
    Block,
    Cards,
    Document,
    Facts,
    Head,
    Items,
    Line,
    Link,
    Mark,
    Para,
    Piece,
    Plain,
    Table,
)

_SPECIAL = re.compile(r"([\\`*_\[\]<>|])")
_MARKS = {"strong": ("**", "**"), "badge": ("(", ")"), "gone": ("~~", "~~"), "new": ("**", "**")}


def render(document: Document, head: str = "") -> str:
    """The whole document; ``head`` stands under the title (version and date)."""
    parts = [f"# {_escape(document.title)}"]
    if head:
        parts.append(head)
    for section in document.sections:
        if section.title:
            parts.append(f"## {_escape(section.title)}")
        parts.extend(piece for block in section.blocks for piece in _block(block))
    return "\n\n".join(parts) + "\n"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Para():
            yield _line(block.line)
        case Head():
            yield f"### {_escape(block.text)}"
        case Items():
            yield "\n".join(f"- {_line(one)}" for one in block.lines)
        case Facts():
            yield "\n".join(f"- **{_escape(term)}**: {_line(one)}" for term, one in block.rows)
        case Table():
            rows = ["| " + " | ".join(map(_escape, block.heads)) + " |", "|" + " --- |" * len(block.heads)]
            rows += ["| " + " | ".join(map(_line, row)) + " |" for row in block.rows]
            yield "\n".join(rows)
        case Cards():
            for card in block.cards:
                yield f"### {_escape(card.title)}"
                yield "\n".join(f"- {_line(one)}" for one in card.lines)
        case Actions():
            yield "\n".join(f"- {_piece(link)}" for link in block.links)


def _line(one: Line) -> str:
    return "".join(map(_piece, one))


def _piece(piece: Piece) -> str:
    match piece:
        case Plain():
            return _escape(piece.text)
        case Link():
            return f"[{_escape(piece.text)}]({piece.href})"
        case Mark():
            if piece.kind == "code":
                return f"`{piece.text}`"
            before, after = _MARKS.get(piece.kind, ("**", "**"))
            return f"{before}{_escape(piece.text)}{after}"


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text).replace("\n", " ")
