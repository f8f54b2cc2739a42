"""Template tags of the docs portal: Markdown, coloured code, costs."""

from __future__ import annotations

from django import template
from django.utils.safestring import SafeString

from tollkeeper.web import highlight
from tollkeeper.web import markdown as md

register = template.Library()


@register.filter
def markdown(text: str) -> SafeString:
    """Block Markdown as safe HTML."""
    return md.render(text)


@register.filter
def markdown_line(text: object) -> SafeString:
    """Inline Markdown as safe HTML."""
    return md.render_line(str(text))


@register.filter
def coloured(text: str, language: str) -> SafeString:
    """Code with its words coloured."""
    return highlight.code(text, language.rsplit("/", 1)[-1].rsplit("+", 1)[-1])


@register.filter
def placeholders(path: str) -> SafeString:
    """A path template with its placeholders marked."""
    return highlight.path(path)


@register.filter
def lookup(mapping: dict[str, object], key: str) -> object:
    """The entry of a mapping, or None."""
    return mapping.get(key)
