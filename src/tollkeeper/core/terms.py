"""Facts that cross borders: frozen, serialisable, without behaviour.

What web, worker and gate agree on stands here and nowhere else. Amounts of
units are integers in *micro-units* (one call = 1_000_000), money is an integer
in the currency's minor unit, instants are integers in microseconds since the
Unix epoch, UTC.
"""

from __future__ import annotations

import msgspec

MICRO = 1_000_000
"""Micro-units in one unit."""


class LimitTerms(msgspec.Struct, frozen=True, omit_defaults=True):
    """A speed limit: at most ``amount`` of ``unit`` in any ``window_s`` seconds (GCRA).

    ``unit`` is ``requests``, ``units`` (micro-units of the plan's unit) or ``tokens``.
    ``burst`` is how many may come at once; 0 means ``amount``.
    """

    name: str
    unit: str
    amount: int
    window_s: int
    burst: int = 0


class KeyTerms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one key may do. Stored as JSON beside the key entry, read by the gate."""

    plan: str
    unit: str = "calls"
    limits: tuple[LimitTerms, ...] = ()
    concurrency: int = 0
    """Calls in flight at once; 0 means no limit."""
    scopes: tuple[str, ...] = ()
    """Empty means every scope."""
    routes: tuple[str, ...] = ()
    """Names of routes; empty means every route."""
    models: tuple[str, ...] = ()
    ip_ranges: tuple[str, ...] = ()
    """CIDR ranges; empty means everywhere."""


class KeyEntry(msgspec.Struct, frozen=True):
    """One row of the gate's directory. ``digest`` is the keyed hash of the key text."""

    key_id: int
    digest: bytes
    customer_id: int
    tenant: str
    """Opaque id of the customer, the only one an upstream ever sees."""
    state: str
    """``active``, ``suspended`` or ``revoked``."""
    reason: str
    """Why it is not active: a word of the answers' table, or empty."""
    terms: KeyTerms
    expires_at: int | None
    version: int


class RouteTerms(msgspec.Struct, frozen=True, omit_defaults=True):
    """A route of the API that is sold.

    ``path`` is matched segment by segment; ``{name}`` matches one segment and a
    final ``{name...}`` the rest. The first route that matches wins.
    """

    name: str
    path: str
    methods: tuple[str, ...] = ("GET",)
    upstream: str = "main"
    meter: str = "calls"
    """Name of the meter plugin in ``core.meters``."""
    cost: int = MICRO
    """Micro-units for one call (meter ``calls``), or for one thing counted."""
    scope: str = ""
    retry_safe: bool = False
    """Declares that a call may be sent twice although its method is not safe."""
    protocol: str = "rest"
    """``rest``, ``openai`` or ``anthropic``: decides the form of refusals."""


class UpstreamTerms(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where calls go. ``credential`` names an environment variable, never a secret."""

    name: str
    url: str
    credential: str = ""
    header: str = "Authorization"
    prefix: str = "Bearer "
    weight: int = 1
    """Its part of the calls among all addresses of the name; 0 stands in when no other is well."""
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 60.0
    health_path: str = ""
    """Asked for beside the calls; empty: only calls tell whether it is well."""
    health_interval_s: float = 5.0
    health_timeout_s: float = 2.0
    health_fails: int = 2
    """So many failures in a row make it unwell, ``health_passes`` good answers well again."""
    health_passes: int = 2


class ModelTerms(msgspec.Struct, frozen=True, omit_defaults=True):
    """A model of the price book.

    Prices are micro-units of the plan's unit per million tokens. The four buckets
    of tokens are disjoint: what is read from or written to a cache is no ``input``.
    A call's price is rounded up to a whole micro-unit, once.
    """

    name: str
    """As customers ask for it."""
    input: int
    output: int
    cache_read: int | None = None
    """None: as ``input``."""
    cache_write: int | None = None
    """None: as ``input``."""
    per_call: int = 0
    """Micro-units for the call itself, whatever it holds."""
    upstream_name: str = ""
    """As the upstream knows it; empty: the same."""
    max_output: int = 4096
    """Tokens held for the answer where the caller sets no bound."""


class TargetTerms(msgspec.Struct, frozen=True, omit_defaults=True):
    """An account at somebody else's relay, on which keys are made. Read by provisioners."""

    name: str
    provisioner: str
    url: str
    """Where we administer it."""
    credential: str
    """Name of the environment variable that holds our secret there, never the secret."""
    public_url: str = ""
    """Where customers use their keys; empty: ``url``."""
    resale_allowed: bool = False
    """The operator vouches that the relay's terms allow resale; without it nothing is sold."""
    options: dict[str, str] = {}


class GateTerms(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that a gate needs to know of the shop; published by the catalog, versioned."""

    shop: str
    routes: tuple[RouteTerms, ...]
    upstreams: tuple[UpstreamTerms, ...]
    version: int = 0
    max_head_bytes: int = 32_768
    max_body_bytes: int = 32 * 1024 * 1024
    cors_origins: tuple[str, ...] = ()
    docs_url: str = ""
    suspended: bool = False
    models: tuple[ModelTerms, ...] = ()
    """The price book. Which prices a call was charged by follows from ``version``."""


class PriceTerms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a plan costs in one currency. ``id`` is unique within the plan and never reused."""

    id: str
    currency: str
    """ISO 4217, upper case."""
    amount_minor: int
    """Integer minor units; 0 is free of charge."""
    period: str | None = None
    """``month`` or ``year`` for what renews, None for what is bought once."""


class GrantTerms(msgspec.Struct, frozen=True, omit_defaults=True):
    """Units that a plan gives. ``amount`` is in micro-units."""

    unit: str
    amount: int
    priority: int = 0
    """Smaller is spent first."""
    lasts_days: int | None = None
    """Days until the grant expires; None: to the end of the period, or for ever if ``once``."""
    per: str = "once"
    """``period``: given anew in every period; ``once``: given at the purchase only."""
    less: int = 0
    """Micro-units that the first month's portion is smaller by: they came with what it replaces."""


class TrialTerms(msgspec.Struct, frozen=True, omit_defaults=True):
    """A plan tried before it is paid. ``units`` are micro-units; None: what a paid period gives."""

    days: int
    card: bool = True
    """Whether something to pay with is asked for at the beginning."""
    units: int | None = None


class OverageTerms(msgspec.Struct, frozen=True, omit_defaults=True):
    """Use beyond a plan: ``per`` micro-units of ``unit`` cost ``price_minor`` of ``currency``."""

    unit: str
    per: int
    currency: str
    price_minor: int


class OffTerms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a coupon takes off each period of a plan, tax included, and off which of them."""

    minor: int
    duration: str = "once"
    """``once``: the first; ``months``: those that begin in so many ``months``; ``forever``: all."""
    months: int = 0


class LineTerms(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one order line promised at the moment of sale: all that its fulfilment reads."""

    plan: str
    provisioner: str
    key: KeyTerms
    grants: tuple[GrantTerms, ...] = ()
    period: str | None = None
    kind: str = "pack"
    plan_version: int = 1
    target: str = ""
    """Name of the relay account for provisioners that need one; empty for our own gate."""
    deliver_within_s: int = 3600
    """Paid and not delivered for so long: refund without being asked."""
    refund_unspent_s: int = 0
    """So long after paying the customer may give back what is not used; 0: not by himself."""
    trial: TrialTerms | None = None
    """Set if the line begins with a trial: ``grants`` are the trial's then, ``after`` the plan's."""
    after: tuple[GrantTerms, ...] = ()
    renews_minor: int | None = None
    """What later periods cost, tax included, if that differs from this line; ``renews_tax_minor`` of it."""
    renews_tax_minor: int = 0
    off: OffTerms | None = None
    """A coupon on what renews; ``renews_minor`` is the price without it."""
    units_every: str | None = None
    """``month`` if the units of a longer period come month by month; None: with the period."""

    overage: OverageTerms | None = None
    """Use beyond the units of a period, for customers who allow it up to a cap."""
    carry_over: int = 0
    """Micro-units that may move from a period to the next."""

    def tried(self, trial: TrialTerms) -> LineTerms:
        """The line as it begins with a trial."""
        given = tuple(
            grant if trial.units is None else msgspec.structs.replace(grant, amount=trial.units)
            for grant in self.grants
        )
        return msgspec.structs.replace(self, grants=given, trial=trial, after=self.grants)

    def lasting(self) -> LineTerms:
        """What every later period gives: without the beginning, and without what is given once."""
        grants = self.after if self.trial is not None else self.grants
        return msgspec.structs.replace(
            self,
            grants=tuple(grant for grant in grants if grant.per == "period"),
            trial=None,
            after=(),
            off=None,
            renews_minor=None,
            renews_tax_minor=0,
        )


class PlanText(msgspec.Struct, frozen=True, omit_defaults=True):
    """The words of a plan in one language."""

    name: str
    summary: str = ""
    features: tuple[str, ...] = ()


class PlanTerms(msgspec.Struct, frozen=True, omit_defaults=True):
    """One immutable version of a plan, as it is offered."""

    slug: str
    version: int
    name: str
    summary: str
    features: tuple[str, ...]
    kind: str
    """``free``, ``subscription`` or ``pack``."""
    prices: tuple[PriceTerms, ...]
    key: KeyTerms
    grants: tuple[GrantTerms, ...] = ()
    period: str | None = None
    """How often ``period`` grants come; a free plan has one although it costs nothing."""
    provisioner: str = "gate_key"
    target: str = ""
    deliver_within_s: int = 3600
    refund_unspent_s: int = 0
    once_per_customer: bool = False
    highlight: bool = False
    trial: TrialTerms | None = None
    """Offered to who never had a plan that renews."""
    overage: tuple[OverageTerms, ...] = ()
    """One for each currency."""
    carry_over: int = 0
    translations: dict[str, PlanText] = {}
    """Language tag → words; the shop's first language stands in the fields above."""

    def price(self, price_id: str) -> PriceTerms:
        """The price called ``price_id``; raises ``KeyError``."""
        for price in self.prices:
            if price.id == price_id:
                return price
        raise KeyError(price_id)

    def line(self, price_id: str) -> LineTerms:
        """What an order line at this price freezes; raises ``KeyError``."""
        price = self.price(price_id)
        return LineTerms(
            plan=self.slug,
            provisioner=self.provisioner,
            key=self.key,
            grants=self.grants,
            period=price.period or self.period,
            overage=next((one for one in self.overage if one.currency == price.currency), None),
            carry_over=self.carry_over,
            units_every=self.period if price.period and price.period != self.period else None,
            kind=self.kind,
            plan_version=self.version,
            target=self.target,
            deliver_within_s=self.deliver_within_s,
            refund_unspent_s=self.refund_unspent_s,
        )


def encode(value: msgspec.Struct) -> str:
    """JSON text of a frozen fact."""
    return msgspec.json.encode(value).decode()


def decode_key_terms(text: str | bytes) -> KeyTerms:
    """Read :class:`KeyTerms`; raises ``msgspec.ValidationError`` naming the path."""
    return msgspec.json.decode(text, type=KeyTerms)


def decode_gate_terms(text: str | bytes) -> GateTerms:
    """Read :class:`GateTerms`; raises ``msgspec.ValidationError`` naming the path."""
    return msgspec.json.decode(text, type=GateTerms)


def decode_line_terms(text: str | bytes) -> LineTerms:
    """Read :class:`LineTerms`; raises ``msgspec.ValidationError`` naming the path."""
    return msgspec.json.decode(text, type=LineTerms)


def decode_plan_terms(text: str | bytes) -> PlanTerms:
    """Read :class:`PlanTerms`; raises ``msgspec.ValidationError`` naming the path."""
    return msgspec.json.decode(text, type=PlanTerms)
