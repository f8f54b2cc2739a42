"""GET /brand.css: the shop's own accent colour, laid over the house's tokens."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from tollkeeper.catalog import queries as catalog

HOUSE_ACCENT = "#4f46e5"

_RULES = """@layer tokens {{
  :root {{
    --bright: color-mix(in oklab, {accent} 58%, white);
    --accent: light-dark({accent}, var(--bright));
    --accent-ink: light-dark({ink}, #0b0b13);
    --accent-soft: light-dark(
      color-mix(in oklab, {accent} 8%, white), color-mix(in oklab, {accent} 26%, #0b0b10)
    );
    --series-ok: light-dark(color-mix(in oklab, {accent} 86%, white), var(--bright));
  }}
}}
"""


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb``, 0 to 1 (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def ink_on(colour: str) -> str:
    """White or near-black: whichever stands out more from ``#rrggbb``."""
    light = luminance(colour)
    return "#ffffff" if 1.05 / (light + 0.05) >= (light + 0.05) / 0.055 else "#0b0b13"


@require_safe
@cache_control(public=True, max_age=300)
def brand_css(request: HttpRequest) -> HttpResponse:
    """Rules for the accent; none where the shop keeps the house's."""
    accent = catalog.current_shop().accent
    rules = "" if accent == HOUSE_ACCENT else _RULES.format(accent=accent, ink=ink_on(accent))
    return HttpResponse(rules, content_type="text/css; charset=utf-8")
