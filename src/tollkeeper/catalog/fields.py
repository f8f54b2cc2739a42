"""Single values of ``shop.toml``: money, units, spans of time, names, addresses, each with its remedy."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

_WINDOW = re.compile(r"([1-9][0-9]*)(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def wrong(kind: str, text: str, remedy: str) -> PydanticCustomError:
    """A mistake with its remedy; both are shown to the operator as they stand."""
    return PydanticCustomError(kind, "{text}", {"text": text, "remedy": remedy})


def _decimal(value: Any) -> Decimal:
    if isinstance(value, float):
        raise wrong("money_float", "a floating point number is not exact", f'put it in quotes: "{value:.2f}"')
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise wrong("money_type", "an amount of money must be text", 'write it in quotes, like "29.00"')
    if isinstance(value, int):
        raise wrong(
            "money_int", f"{value} could mean major or minor units", f'put it in quotes: "{value}.00"'
        )
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise wrong(
            "money_text", f"{value!r} is no amount", 'write digits and a point, like "29.00"'
        ) from None
    if not amount.is_finite():
        raise wrong("money_text", f"{value!r} is no amount", 'write digits and a point, like "29.00"')
    if amount < 0:
        raise wrong("money_negative", f"{value} is negative", 'a price is at least "0.00"')
    return amount


def _units(value: Any) -> Decimal:
    """Units may be whole numbers or exact decimals in quotes; six digits after the point at most."""
    if isinstance(value, bool | float) or not isinstance(value, str | int):
        raise wrong("units_type", "must be a whole number or a decimal in quotes", 'write 5 or "0.25"')
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise wrong("units_text", f"{value!r} is no number", 'write 5 or "0.25"') from None
    if not amount.is_finite() or amount < 0:
        raise wrong("units_negative", f"{value} is negative or endless", "write a number from 0 on")
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -6:
        raise wrong(
            "units_fine", f"{value} is finer than a micro-unit", "use at most six digits after the point"
        )
    return amount


def _window(value: Any) -> int:
    match = _WINDOW.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise wrong(
            "window", f"{value!r} is no span of time", 'write a number and s, m, h or d, like "1s" or "30d"'
        )
    return int(match[1]) * _SECONDS[match[2]]


def _currency(value: str) -> str:
    if not re.fullmatch("[A-Z]{3}", value):
        raise wrong("currency", f"{value!r} is no currency", 'write its three capital letters, like "EUR"')
    return value


def _slug(value: str) -> str:
    if not re.fullmatch("[a-z][a-z0-9-]{0,38}[a-z0-9]", value):
        raise wrong("slug", f"{value!r} is no plain name", "use 2 to 40 small letters, digits and hyphens")
    return value


def _language(value: str) -> str:
    if not re.fullmatch("[a-z]{2}(-[a-z]{2,4})?", value):
        raise wrong("language", f"{value!r} is no language tag", 'write it small, like "en" or "zh-hans"')
    return value


def _email(value: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", value):
        raise wrong("email", f"{value!r} is no e-mail address", 'write it like "support@shop.example"')
    return value


def _path(value: str) -> str:
    segments = value.split("/")
    if not value.startswith("/") or "?" in value or "#" in value or "" in segments[1:-1]:
        raise wrong("route_path", f"{value!r} is no path", 'begin with "/", without query and without "//"')
    for position, segment in enumerate(segments[1:], 1):
        if ("{" in segment or "}" in segment) and not re.fullmatch(r"\{[a-z_]+(\.\.\.)?\}", segment):
            raise wrong(
                "route_segment", f"{segment!r} is no placeholder", "a placeholder fills its segment: {id}"
            )
        if segment.endswith("...}") and position != len(segments) - 1:
            raise wrong("route_rest", f"{segment!r} takes the rest of the path", "put it at the end")
    return value


def _url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#]*)?", value):
        raise wrong(
            "url", f"{value!r} is no address", 'write "https://host" or "https://host/base", no key inside'
        )
    return value.rstrip("/")


def _variable(value: str) -> str:
    if value and not re.fullmatch("[A-Z][A-Z0-9_]*", value):
        raise wrong(
            "credential",
            "this must be the NAME of an environment variable",
            'write a name like "POSTS_API_KEY" here and put the secret itself into the environment; '
            "if a secret stood here, it is known now: change it",
        )
    return value


def _header(value: str) -> str:
    if not re.fullmatch("[A-Za-z0-9-]+", value):
        raise wrong("header", f"{value!r} is no header name", 'use letters, digits and hyphens: "X-Api-Key"')
    return value


Money = Annotated[Decimal, BeforeValidator(_decimal)]
Units = Annotated[Decimal, BeforeValidator(_units)]
Window = Annotated[int, BeforeValidator(_window)]
Currency = Annotated[str, AfterValidator(_currency)]
Slug = Annotated[str, AfterValidator(_slug)]
Language = Annotated[str, AfterValidator(_language)]
Email = Annotated[str, AfterValidator(_email)]
RoutePath = Annotated[str, AfterValidator(_path)]
Url = Annotated[str, AfterValidator(_url)]
Variable = Annotated[str, AfterValidator(_variable)]
Header = Annotated[str, AfterValidator(_header)]
Text = Annotated[str, Field(min_length=1, max_length=400)]
Colour = Annotated[str, Field(pattern="^#[0-9a-f]{6}$")]
