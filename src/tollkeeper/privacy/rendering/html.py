"""A document as HTML: no inline style, no script, every word escaped."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

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
    Section,
    Table,
)

_TAGS = {"strong": "strong", "code": "code", "gone": "del", "new": "ins"}


def render_sections(document: Document) -> str:
    """All sections, one after the other, for the body of a page. Those that have a line for it can be
    closed and opened; a link to their anchor opens them, and on paper all are open."""
    return "\n".join(
        render_layer(section) if section.brief else render_section(section) for section in document.sections
    )


def render_layer(section: Section) -> str:
    """One section behind its heading and its line; the anchor lies inside, so that following it opens it."""
    body = "\n".join(piece for block in section.blocks for piece in _block(block, 3))
    return (
        f'<details class="policy-layer"><summary><h2>{escape(section.title)}</h2>'
        f"<span>{escape(section.brief)}</span></summary>\n"
        f'<section id="{escape(section.id)}">\n{body}\n'
        "</section></details>"
    )


def render_section(section: Section) -> str:
    """One section with its heading; the first section of a page may have no title."""
    title = f'<h2><a href="#{escape(section.id)}">{escape(section.title)}</a></h2>\n' if section.title else ""
    level = 3 if section.title else 2
    body = "\n".join(piece for block in section.blocks for piece in _block(block, level))
    return f'<section id="{escape(section.id)}">\n{title}{body}\n</section>'


def _block(block: Block, level: int) -> Iterator[str]:
    match block:
        case Para():
            kind = f' class="{escape(block.kind)}"' if block.kind else ""
            yield f"<p{kind}>{_line(block.line)}</p>"
        case Head():
            anchor = f' id="{escape(block.id)}"' if block.id else ""
            yield f"<h{level}{anchor}>{escape(block.text)}</h{level}>"
        case Items():
            yield "<ul>"
            yield from (f"<li>{_line(one)}</li>" for one in block.lines)
            yield "</ul>"
        case Facts():
            yield '<dl class="policy-facts">'
            yield from (
                f"<div><dt>{escape(term)}</dt><dd>{_line(one)}</dd></div>" for term, one in block.rows
            )
            yield "</dl>"
        case Table():
            yield from _table(block)
        case Cards():
            yield '<div class="policy-cards">'
            for card in block.cards:
                yield f'<div><h3><a href="{escape(card.href)}">{escape(card.title)}</a></h3>'
                yield from (f"<p>{_line(one)}</p>" for one in card.lines)
                yield "</div>"
            yield "</div>"
        case Actions():
            yield '<p class="policy-actions">'
            for number, link in enumerate(block.links):
                kind = "button plain" if number else "button"
                yield f'<a class="{kind}" href="{escape(link.href)}">{escape(link.text)}</a>'
            yield "</p>"


def _table(table: Table) -> Iterator[str]:
    kind = f"policy-table cols-{len(table.heads)}"
    yield f'<div class="{kind}" role="region" tabindex="0" aria-label="{escape(table.caption)}"><table>'
    yield f"<caption>{escape(table.caption)}</caption>"
    yield (
        "<thead><tr>"
        + "".join(f'<th scope="col">{escape(head)}</th>' for head in table.heads)
        + "</tr></thead>"
    )
    yield "<tbody>"
    for row in table.rows:
        cells = [f'<th scope="row" data-label="{escape(table.heads[0])}">{_line(row[0])}</th>']
        cells += [
            f'<td data-label="{escape(head)}">{_line(cell)}</td>'
            for head, cell in zip(table.heads[1:], row[1:], strict=True)
        ]
        yield "<tr>" + "".join(cells) + "</tr>"
    yield "</tbody></table></div>"


def _line(one: Line) -> str:
    return "".join(map(_piece, one))


def _piece(piece: Piece) -> str:
    match piece:
        case Plain():
            return escape(piece.text)
        case Link():
            outside = ' rel="noopener"' if piece.href.startswith("https:") else ""
            return f'<a href="{escape(piece.href)}"{outside}>{escape(piece.text)}</a>'
        case Mark():
            if piece.kind == "badge":
                return f'<span class="badge">{escape(piece.text)}</span>'
            tag = _TAGS.get(piece.kind, "strong")
            return f"<{tag}>{escape(piece.text)}</{tag}>"
