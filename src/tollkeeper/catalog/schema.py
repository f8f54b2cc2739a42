"""The form of ``shop.toml``, as pydantic models: one class per table of the file.

Here stands what a table may hold and which single values are wrong. What only shows
when tables are laid side by side (dangling names, overlapping prices, routes that hide
each other) is looked for in ``crosscheck``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from tollkeeper.catalog.fields import (
    METHODS,
    Colour,
    Currency,
    Email,
    Header,
    Language,
    Money,
    RoutePath,
    Slug,
    Text,
    Units,
    Url,
    Variable,
    Window,
    wrong,
)


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
            raise wrong("grant_lasts", "a grant lasts whole days", 'write days, like "365d"')
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
                raise wrong("method", f"{method!r} is no method", f"use {', '.join(METHODS)}")
        return value


class Bound(Table):
    currency: Currency
    amount: Money


class Payments(Table):
    providers: Annotated[list[str], Field(min_length=1)]
    refund_warned: list[Bound] = []
    """Up to these sums, what a card's bank warns of as fraud goes back by itself: a dispute costs more."""


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
