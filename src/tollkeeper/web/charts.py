"""Charts as SVG made on the server: no script needed, no inline style, coloured by classes.

A drawing is a pure function of numbers to safe markup; the looks stand in
``static/tk/css/charts.css``. Lengths are in the units of each drawing's viewBox.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10, pi

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

_STEPS = (1, 1.2, 1.6, 2, 2.4, 3.2, 4, 4.8, 6, 8, 10)
"""Tops of a scale that divide into four even parts."""


@dataclass(frozen=True, slots=True)
class Series:
    """One stacked layer of a bar chart: ``kind`` is a CSS class, ``values`` one per label."""

    name: str
    kind: str
    values: Sequence[int]

    @property
    def total(self) -> int:
        return sum(self.values)


def digits(value: float) -> str:
    """A coordinate with at most one digit after the point."""
    return f"{value:.1f}".rstrip("0").rstrip(".")


def human(number: float) -> str:
    """``1234567`` as ``1.2M``: for axes and legends, where space is short.

    Rounded towards zero, so that 9,999 of 10,000 never reads as all of it.
    """
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return digits(floor(abs(number) / size * 10) / 10 * (1 if number > 0 else -1)) + letter
    return digits(number)


def scale_top(largest: float) -> int:
    """A round number not below ``largest`` that divides into four; at least 4."""
    if largest <= 40:
        return max(4, 4 * ceil(largest / 4))  # counts: whole numbers on the axis
    power = 10 ** int(log10(largest))
    return int(next(step * power for step in _STEPS if step * power >= largest))


def spark(values: Sequence[float], width: int = 120, height: int = 36) -> SafeString:
    """A small line without axes, as decoration of a figure that says the same in words."""
    if len(values) < 2:
        return SafeString("")
    low, high = min(values), max(values)
    spread = (high - low) or 1
    last = len(values) - 1
    points = [
        f"{digits(i * width / last)} {digits(height - 3 - (value - low) / spread * (height - 6))}"
        for i, value in enumerate(values)
    ]
    line = "M" + " L".join(points)
    return format_html(
        '<svg class="spark" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true">'
        '<path class="spark-area" d="{} L{} {} L0 {}Z"/><path class="spark-line" d="{}"/></svg>',
        width,
        height,
        line,
        width,
        height,
        height,
        line,
    )


def gauge(used: float, whole: float, label: str) -> SafeString:
    """A three-quarter ring: how much of ``whole`` is used. Turns amber at 75 %, red at 92 %."""
    share = min(max(used / whole, 0.0), 1.0) if whole > 0 else 0.0
    percent = floor(share * 100) if share < 1 else 100
    level = "crit" if share >= 0.92 else "warn" if share >= 0.75 else "ok"
    radius = 52
    ring = 2 * pi * radius
    arc = ring * 0.75
    value = format_html(
        '<circle class="gauge-value" cx="64" cy="64" r="{}" stroke-dasharray="{} {}"/>',
        radius,
        digits(arc * share),
        digits(ring),
    )
    return format_html(
        '<svg class="gauge {}" viewBox="0 0 128 112" role="img" aria-label="{}">'
        '<g transform="rotate(135 64 64)">'
        '<circle class="gauge-track" cx="64" cy="64" r="{}" stroke-dasharray="{} {}"/>{}</g>'
        '<text class="gauge-number" x="64" y="66">{}%</text>'
        '<text class="gauge-word" x="64" y="84">{}</text></svg>',
        level,
        _("%(label)s: %(percent)d%% used") % {"label": label, "percent": percent},
        radius,
        digits(arc),
        digits(ring),
        value if share else "",
        percent,
        _("used"),
    )


def share_bar(part: float, whole: float) -> SafeString:
    """A thin horizontal bar; decoration beside the number itself."""
    width = max(100 * part / whole, 0.8) if whole > 0 and part > 0 else 0
    return format_html(
        '<svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="bar-track" width="100" height="4" rx="2"/>'
        '<rect class="bar-value" width="{}" height="4" rx="2"/></svg>',
        digits(min(width, 100)),
    )


def bars(series: Sequence[Series], labels: Sequence[str], title: str) -> SafeString:
    """Stacked bars, one per label, in a wide and a narrow drawing; CSS shows the one that fits.

    A scaled-down drawing would shrink its text on phones, hence two.
    """
    return mark_safe(  # noqa: S308 - both parts are made by format_html
        _stacked(series, labels, title, "wide", 760, 240)
        + _stacked(series, labels, title, "narrow", 340, 220)
    )


def _stacked(
    series: Sequence[Series], labels: Sequence[str], title: str, kind: str, width: int, height: int
) -> SafeString:
    left, right, top, bottom = 44, 6, 8, 24
    count = len(labels)
    inner_width, inner_height = width - left - right, height - top - bottom
    ceiling = scale_top(max((sum(one.values[i] for one in series) for i in range(count)), default=0))
    parts = [
        format_html(
            '<line class="chart-grid" x1="{}" x2="{}" y1="{}" y2="{}"/>'
            '<text class="chart-y" x="{}" y="{}">{}</text>',
            left,
            width - right,
            digits(y),
            digits(y),
            left - 8,
            digits(y + 4),
            human(ceiling * quarter / 4),
        )
        for quarter in range(5)
        for y in [top + inner_height - inner_height * quarter / 4]
    ]
    step = inner_width / max(count, 1)
    every = ceil(count / (width / 95)) or 1
    for i in range(count):
        parts.append(_bar(series, i, left + i * step, step, top, inner_height, ceiling))
        if i % every == every // 2:
            parts.append(
                format_html(
                    '<text class="chart-x" x="{}" y="{}">{}</text>',
                    digits(left + (i + 0.5) * step),
                    height - 6,
                    labels[i],
                )
            )
    return format_html(
        '<svg class="chart {}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>',
        kind,
        width,
        height,
        title,
        mark_safe("".join(parts)),  # noqa: S308 - made by format_html above
    )


def _bar(
    series: Sequence[Series], index: int, x: float, step: float, top: float, inner_height: float, ceiling: int
) -> SafeString:
    gap = step * 0.3
    pieces = [
        format_html(
            '<rect class="chart-hit" x="{}" y="{}" width="{}" height="{}"/>',
            digits(x),
            digits(top),
            digits(step),
            digits(inner_height),
        )
    ]
    y = top + inner_height
    for one in series:
        size = one.values[index] / ceiling * inner_height
        if size <= 0:
            continue
        y -= size
        pieces.append(
            format_html(
                '<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="2"/>',
                one.kind,
                digits(x + gap / 2),
                digits(y),
                digits(step - gap),
                digits(max(size - 1, 0.8)),
            )
        )
    return format_html(
        '<g class="chart-bar" data-i="{}">{}</g>',
        index,
        mark_safe("".join(pieces)),  # noqa: S308 - made by format_html above
    )
