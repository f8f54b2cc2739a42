"""Markdown of the operator becomes HTML that can do nothing."""

from __future__ import annotations

import pytest

from tollkeeper.web import highlight, markdown


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "![x](http://elsewhere/pixel.png)",
        '<p style="color:red" onclick="x()">hi</p>',
        "```html\n</code></pre><script>x</script>\n```",
        "`</code><script>x</script>`",
    ],
)
def test_nothing_active_comes_through(text: str) -> None:
    for html in (markdown.render(text), markdown.render_line(text)):
        assert "<script" not in html
        assert "<img" not in html
        assert "style=" not in html.replace("&quot;", "") or "&lt;p style" in html
        assert 'href="javascript' not in html


def test_headings_can_be_linked() -> None:
    assert markdown.render("## Your first call") == '<h2 id="your-first-call">Your first call</h2>\n'


def test_tables_scroll_by_themselves() -> None:
    html = markdown.render("| a |\n|---|\n| b |")
    assert html.startswith('<div class="table-wrap" tabindex="0"><table class="table">')


def test_a_line_has_no_paragraph() -> None:
    assert markdown.render_line("use `x`") == "use <code>x</code>"


def test_code_is_coloured_and_escaped() -> None:
    assert 'class="hl-' in highlight.code('{"a": 1}', "json")
    assert "&lt;b&gt;" in highlight.code("<b>", "no such language")


def test_placeholders_are_marked_and_escaped() -> None:
    assert highlight.path("/a/{id}/<b>") == '/a/<span class="place">{id}</span>/&lt;b&gt;'
