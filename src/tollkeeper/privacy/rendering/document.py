"""What a rendered document is made of, before it is HTML or Markdown.

Documents are stored with their policy version as JSON, so that a past version reads for
ever as it was shown, whatever becomes of templates and phrases.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec


class Link(msgspec.Struct, frozen=True, tag="link"):
    """A link in running text. ``href`` is a path on this site, an anchor, https: or mailto:."""

    text: str
    href: str


class Mark(msgspec.Struct, frozen=True, tag="mark"):
    """Words set off from the text: ``kind`` is ``strong``, ``code``, ``badge``, ``gone`` or ``new``."""

    text: str
    kind: str = "strong"


class Plain(msgspec.Struct, frozen=True, tag="text"):
    """Words as they are."""

    text: str


Piece = Plain | Link | Mark
Line = tuple[Piece, ...]
"""Running text: pieces in order."""


class Para(msgspec.Struct, frozen=True, tag="para"):
    """A paragraph; ``kind`` is empty, ``lead`` or ``note``."""

    line: Line
    kind: str = ""


class Head(msgspec.Struct, frozen=True, tag="head"):
    """A heading inside a section."""

    text: str
    id: str = ""


class Items(msgspec.Struct, frozen=True, tag="items"):
    """A list of lines."""

    lines: tuple[Line, ...]


class Facts(msgspec.Struct, frozen=True, tag="facts"):
    """Terms with what belongs to them."""

    rows: tuple[tuple[str, Line], ...]


class Table(msgspec.Struct, frozen=True, tag="table"):
    """Rows of cells under headings; ``caption`` says what the table lists."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]


class Card(msgspec.Struct, frozen=True):
    """A few lines under a heading that leads to the section which says more."""

    title: str
    href: str
    lines: tuple[Line, ...]


class Cards(msgspec.Struct, frozen=True, tag="cards"):
    """Cards side by side."""

    cards: tuple[Card, ...]


class Actions(msgspec.Struct, frozen=True, tag="actions"):
    """What one can do at once, the most usual first: drawn as buttons."""

    links: tuple[Link, ...]


Block = Para | Head | Items | Facts | Table | Cards | Actions


class Section(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of the document with a heading and an anchor; ``brief`` stands for it while it is closed."""

    id: str
    title: str
    blocks: tuple[Block, ...]
    brief: str = ""


class Document(msgspec.Struct, frozen=True):
    """A whole document in one language (``en`` or ``zh``)."""

    language: str
    title: str
    sections: tuple[Section, ...]


def line(*parts: str | Piece) -> Line:
    """Running text from strings and pieces; empty strings vanish."""
    return tuple(Plain(part) if isinstance(part, str) else part for part in parts if part != "")


def joined(lines: Iterable[Line], between: str) -> Line:
    """Lines in a row with ``between`` set in between."""
    made: list[Piece] = []
    for index, one in enumerate(lines):
        if index:
            made.append(Plain(between))
        made.extend(one)
    return tuple(made)


def plain_text(one: Line) -> str:
    """The words of a line without its marks."""
    return "".join(piece.text for piece in one)


def encode(documents: dict[str, Document]) -> str:
    """Documents by language as canonical JSON text."""
    return msgspec.json.encode(documents, order="sorted").decode()


def decode(text: str) -> dict[str, Document]:
    """Read what :func:`encode` wrote; raises ``msgspec.ValidationError``."""
    return msgspec.json.decode(text, type=dict[str, Document])


def digest(text: str) -> str:
    """SHA-256 of a text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()
