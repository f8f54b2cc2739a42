"""Code with its words marked by classes; the colours stand in ``docs.css``."""

from __future__ import annotations

import re
from functools import lru_cache

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from pygments import highlight as paint
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

_formatter = HtmlFormatter(nowrap=True, classprefix="hl-")
_NAMES = {"curl": "bash", "sh": "bash", "js": "javascript", "problem+json": "json"}


@lru_cache(maxsize=1024)
def code(text: str, language: str) -> SafeString:
    """``<code>`` with spans; an unknown language is shown plainly."""
    try:
        lexer = get_lexer_by_name(_NAMES.get(language, language), stripnl=True)
    except ClassNotFound:
        return mark_safe(f"<code>{escape(text)}</code>")  # noqa: S308 - escaped
    return mark_safe(f"<code>{paint(text, lexer, _formatter).rstrip()}</code>")  # noqa: S308 - Pygments escapes


def path(template: str) -> SafeString:
    """A path template with every ``{placeholder}`` marked."""
    parts = re.split(r"(\{[^}]*\})", template)
    marked = (f'<span class="place">{escape(p)}</span>' if p.startswith("{") else escape(p) for p in parts)
    return mark_safe("".join(marked))  # noqa: S308 - escaped
