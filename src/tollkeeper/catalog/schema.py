"""The form of ``shop.toml``, as pydantic models: one class per table of the file.

Here stands what a table may hold and which single values are wrong. What only shows
when tables are laid side by side (dangling names, overlapping prices, routes that hide
each other) is looked for in ``crosscheck``.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

_WINDOW = re.compile(r"([1-9][0-9]*)(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def _wrong(kind: str, text: str, remedy: str) -> PydanticCustomError:
    """A mistake with its remedy; both are shown to the operator as they stand."""
    return PydanticCustomError(kind, "{text}", {"text": text, "remedy": remedy})


def _decimal(value: Any) -> Decimal:
    if isinstance(value, float):
        raise _wrong(
            "money_float", "a floating point number is not exact", f'put it in quotes: "{value:.2f}"'
        )
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _wrong("money_type", "an amount of money must be text", 'write it in quotes, like "29.00"')
    if isinstance(value, int):
        raise _wrong(
            "money_int", f"{value} could mean major or minor units", f'put it in quotes: "{value}.00"'
        )
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise _wrong(
            "money_text", f"{value!r} is no amount", 'write digits and a point, like "29.00"'
        ) from None
    if not amount.is_finite():
        raise _wrong("money_text", f"{value!r} is no amount", 'write digits and a point, like "29.00"')
    if amount < 0:
        raise _wrong("money_negative", f"{value} is negative", 'a price is at least "0.00"')
    return amount


def _units(value: Any) -> Decimal:
    """Units may be whole numbers or exact decimals in quotes; six digits after the point at most."""
    if isinstance(value, bool | float) or not isinstance(value, str | int):
        raise _wrong("units_type", "must be a whole number or a decimal in quotes", 'write 5 or "0.25"')
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise _wrong("units_text", f"{value!r} is no number", 'write 5 or "0.25"') from None
    if not amount.is_finite() or amount < 0:
        raise _wrong("units_negative", f"{value} is negative or endless", "write a number from 0 on")
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -6:
        raise _wrong(
            "units_fine", f"{value} is finer than a micro-unit", "use at most six digits after the point"
        )
    return amount


def _window(value: Any) -> int:
    match = _WINDOW.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise _wrong(
            "window", f"{value!r} is no span of time", 'write a number and s, m, h or d, like "1s" or "30d"'
        )
    return int(match[1]) * _SECONDS[match[2]]


def _currency(value: str) -> str:
    if not re.fullmatch("[A-Z]{3}", value):
        raise _wrong("currency", f"{value!r} is no currency", 'write its three capital letters, like "EUR"')
    return value


def _slug(value: str) -> str:
    if not re.fullmatch("[a-z][a-z0-9-]{0,38}[a-z0-9]", value):
        raise _wrong("slug", f"{value!r} is no plain name", "use 2 to 40 small letters, digits and hyphens")
    return value


def _language(value: str) -> str:
    if not re.fullmatch("[a-z]{2}(-[a-z]{2,4})?", value):
        raise _wrong("language", f"{value!r} is no language tag", 'write it small, like "en" or "zh-hans"')
    return value


def _email(value: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", value):
        raise _wrong("email", f"{value!r} is no e-mail address", 'write it like "support@shop.example"')
    return value


def _path(value: str) -> str:
    segments = value.split("/")
    if not value.startswith("/") or "?" in value or "#" in value or "" in segments[1:-1]:
        raise _wrong("route_path", f"{value!r} is no path", 'begin with "/", without query and without "//"')
    for position, segment in enumerate(segments[1:], 1):
        if ("{" in segment or "}" in segment) and not re.fullmatch(r"\{[a-z_]+(\.\.\.)?\}", segment):
            raise _wrong(
                "route_segment", f"{segment!r} is no placeholder", "a placeholder fills its segment: {id}"
            )
        if segment.endswith("...}") and position != len(segments) - 1:
            raise _wrong("route_rest", f"{segment!r} takes the rest of the path", "put it at the end")
    return value


def _url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#]*)?", value):
        raise _wrong(
            "url", f"{value!r} is no address", 'write "https://host" or "https://host/base", no key inside'
        )
    return value.rstrip("/")


def _variable(value: str) -> str:
    if value and not re.fullmatch("[A-Z][A-Z0-9_]*", value):
        raise _wrong(
            "credential",
            "this must be the NAME of an environment variable",
            'write a name like "POSTS_API_KEY" here and put the secret itself into the environment; '
            "if a secret stood here, it is known now: change it",
        )
    return value


def _header(value: str) -> str:
    if not re.fullmatch("[A-Za-z0-9-]+", value):
        raise _wrong("header", f"{value!r} is no header name", 'use letters, digits and hyphens: "X-Api-Key"')
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


class Table(BaseModel):
    """A table of the file: unknown keys are refused, nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class BrandWords(Table):
    """What the brand says in one more language."""

    tagline: str = ""


class Brand(Table):
    name: Text
    tagline: str = ""
    accent: Colour = "#4f46e5"
    words: dict[Language, BrandWords] = {}


class Seller(Table):
    """Who sells, by law; printed on receipts, the imprint and the privacy policy."""

    legal_name: Text
    address: Annotated[list[Text], Field(min_length=1, max_length=6)]
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")]
    email: Email
    phone: str = ""
    vat_id: str = ""
    register_: Annotated[str, Field(alias="register")] = ""


class Support(Table):
    email: Email
    hours: str = ""
    url: str = ""


class Tax(Table):
    mode: Literal["none", "inclusive", "exclusive"] = "none"
    rates: dict[Annotated[str, Field(pattern="^[A-Z]{2}$")], Units] = {}
    """Country → per cent, as a decimal in quotes."""


class UnitWords(Table):
    """A unit's name in one more language."""

    one: Text
    many: Text


class Unit(Table):
    one: Text
    many: Text
    words: dict[Language, UnitWords] = {}
    currency: Currency | None = None
    """Set if the unit is money: balances are then shown as amounts."""


class Price(Table):
    id: Slug | None = None
    currency: Currency
    amount: Money
    period: Literal["month", "year"] | None = None


class Grant(Table):
    unit: str
    amount: Units
    per: Literal["once", "period"] = "once"
    lasts: Window | None = None
    priority: Annotated[int, Field(ge=0, le=1000)] | None = None

    @field_validator("lasts")
    @classmethod
    def _whole_days(cls, value: int | None) -> int | None:
        if value is not None and value % 86_400:
            raise _wrong("grant_lasts", "a grant lasts whole days", 'write days, like "365d"')
        return value


class Limit(Table):
    name: Slug
    unit: Literal["requests", "units", "tokens"] = "requests"
    amount: Annotated[int, Field(gt=0, le=10**12)]
    window: Window
    burst: Annotated[int, Field(ge=0, le=10**12)] = 0


class Words(Table):
    """A plan's words in one more language."""

    name: Text
    summary: str = ""
    features: list[Text] = []


class Trial(Table):
    """A plan tried before it is paid: once for each customer."""

    days: Annotated[int, Field(ge=1, le=90)]
    card: bool = True
    """Ask for something to pay with at the beginning; without it the trial may simply end."""
    units: Units | None = None
    """Units of the trial; without it as many as a period gives."""


class OveragePrice(Table):
    currency: Currency
    amount: Money


class Overage(Table):
    """Use beyond the units of a period, for customers who switch it on with a cap of their own."""

    per: Units
    """So many units cost the price."""
    prices: Annotated[list[OveragePrice], Field(min_length=1)]


class Plan(Table):
    kind: Literal["free", "subscription", "pack"]
    name: Text
    summary: str = ""
    features: list[Text] = []
    period: Literal["month", "year"] | None = None
    highlight: bool = False
    once_per_customer: bool = False
    provisioner: str = "gate_key"
    target: str = ""
    deliver_within: Window = 3600
    refund_unspent: Window | None = None
    prices: Annotated[list[Price], Field(min_length=1)]
    grants: list[Grant] = []
    trial: Trial | None = None
    overage: Overage | None = None
    carry_over: Units = Decimal(0)
    limits: list[Limit] = []
    concurrency: Annotated[int, Field(ge=0, le=100_000)] = 0
    scopes: list[Slug] = []
    routes: list[str] = []
    models: list[str] = []
    words: dict[Language, Words] = {}


class Health(Table):
    """How an upstream is looked after beside the calls."""

    path: Annotated[str, Field(pattern=r"^/[!-~]*$")]
    interval: Window = 5
    timeout: Window = 2
    fails: Annotated[int, Field(ge=1, le=100)] = 2
    passes: Annotated[int, Field(ge=1, le=100)] = 2


class Address(Table):
    """One more address of an upstream."""

    url: Url
    weight: Annotated[int, Field(ge=0, le=1000)] = 1


class Upstream(Table):
    url: Url
    more: list[Address] = []
    """Other addresses of the same API; calls go to each by its weight."""
    health: Health | None = None
    credential: Variable = ""
    header: Header = "Authorization"
    prefix: str = "Bearer "
    weight: Annotated[int, Field(ge=0, le=1000)] = 1
    connect_timeout: Window = 5
    read_timeout: Window = 60
    sample: Annotated[str, Field(pattern="^[a-z_]*$")] = ""
    """Module of ``samples`` that plays this upstream unless the shop is live."""


class Model(Table):
    """A language model of the price book; prices are units per million tokens."""

    input: Units
    output: Units
    cache_read: Units | None = None
    cache_write: Units | None = None
    per_call: Units = Decimal(0)
    upstream_name: str = ""
    max_output: Annotated[int, Field(ge=0, le=10_000_000)] = 4096


class Target(Table):
    """An account at a relay that somebody else runs, on which keys are made."""

    provisioner: str
    url: Url
    credential: Variable
    public_url: Url | Literal[""] = ""
    resale_allowed: bool = False
    options: dict[str, str] = {}
    sample: Literal["", "litellm", "newapi", "oneapi", "openrouter"] = ""
    """The stand-in of ``samples.relays`` that plays this relay unless the shop is live."""


class Route(Table):
    name: Slug
    path: RoutePath
    methods: Annotated[list[str], Field(min_length=1)] = ["GET"]
    upstream: str
    meter: str = "calls"
    cost: Units = Decimal(1)
    scope: Slug | Literal[""] = ""
    retry_safe: bool = False
    protocol: Literal["rest", "openai", "anthropic"] = "rest"

    @field_validator("methods")
    @classmethod
    def _known_methods(cls, value: list[str], info: ValidationInfo) -> list[str]:
        for method in value:
            if method not in METHODS:
                raise _wrong("method", f"{method!r} is no method", f"use {', '.join(METHODS)}")
        return value


class Payments(Table):
    providers: Annotated[list[str], Field(min_length=1)]


class Gate(Table):
    max_body_mib: Annotated[int, Field(ge=1, le=1024)] = 32
    cors_origins: list[Url] = []


class ShopFile(Table):
    """The whole file."""

    name: Slug
    currency: Currency
    languages: Annotated[list[Language], Field(min_length=1)]
    suspended: bool = False
    """Refuse every call at the gate, with a reason: the operator's emergency stop."""
    brand: Brand
    seller: Seller
    support: Support
    tax: Tax = Tax()
    units: Annotated[dict[Slug, Unit], Field(min_length=1)]
    plans: Annotated[dict[Slug, Plan], Field(min_length=1)]
    upstreams: Annotated[dict[Slug, Upstream], Field(min_length=1)]
    targets: dict[Slug, Target] = {}
    models: dict[str, Model] = {}
    routes: Annotated[list[Route], Field(min_length=1)]
    payments: Payments
    gate: Gate = Gate()
