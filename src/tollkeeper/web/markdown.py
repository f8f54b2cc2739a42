"""Markdown of the operator's own files as safe HTML: CommonMark and tables, cleaned afterwards."""

from __future__ import annotations

import itertools
import re
from functools import lru_cache

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from tollkeeper.web import highlight

_TAGS = {
    *("a", "b", "blockquote", "br", "code", "dd", "dl", "dt", "em", "h2", "h3", "h4", "hr", "li", "ol", "p"),
    *("pre", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul", "div"),
}
_ATTRIBUTES = {
    "*": {"id"},
    "a": {"href", "title"},
    "span": {"class"},
    "code": {"class"},
    "div": {"class", "tabindex", "role", "aria-label"},
    "pre": {"tabindex"},
    "table": {"class"},
}


def _fence(self: RendererHTML, tokens: list[Token], at: int, options: OptionsDict, env: EnvType) -> str:
    token = tokens[at]
    code = highlight.code(token.content, token.info.strip() or "sh")
    return f'<div class="code"><pre tabindex="0">{code}</pre></div>'


def _make() -> MarkdownIt:
    maker = MarkdownIt("commonmark", {"html": False}).enable("table")
    maker.add_render_rule("fence", _fence)
    maker.add_render_rule(
        "table_open", lambda *_: '<div class="table-wrap" tabindex="0"><table class="table">'
    )
    maker.add_render_rule("table_close", lambda *_: "</table></div>")
    return maker


_maker = _make()


def anchor(text: str) -> str:
    """The id of a heading: small letters, digits and hyphens."""
    return re.sub(r"[^\w]+", "-", text.lower()).strip("-")


@lru_cache(maxsize=512)
def render(text: str) -> SafeString:
    """Block Markdown as HTML. Raw HTML in the text is shown, not obeyed; headings get ids."""
    tokens = _maker.parse(text)
    for opening, inline in itertools.pairwise(tokens):
        if opening.type == "heading_open":
            opening.attrSet("id", anchor(inline.content))
    return _clean(_maker.renderer.render(tokens, _maker.options, {}))


@lru_cache(maxsize=2048)
def render_line(text: str) -> SafeString:
    """Inline Markdown (emphasis, code, links) as HTML, without a paragraph around it."""
    return _clean(_maker.renderInline(text.strip()))


def _clean(html: str) -> SafeString:
    safe = nh3.clean(html, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes={"http", "https", "mailto"})
    return mark_safe(safe)  # noqa: S308 - nh3 has just cleaned it
