"""What a payment provider is: one file here, found by its name, without Django and models.

A provider file gives ``build(options) -> Provider`` and ``PROCESSOR``, the facts that the
processor register and the privacy policy show. The rules every provider keeps are the
suite in ``tests/contracts/test_payment_providers.py``:

- ``start`` may be called again for the same intent and gives the same session;
- no answer raises :class:`Unsure`, which is a state of ours and not a failure;
- what comes back is :mod:`core.settlement` facts, never the provider's own objects;
- nothing but opaque ids, amounts and words of our own crosses the border.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tollkeeper.core.settlement import Collected, RefundFact, SubscriptionFact
from tollkeeper.core.terms import OffTerms


class ProviderError(Exception):
    """The base of all that a provider may raise; the text is for operators and names no person."""


class Unsure(ProviderError):
    """No answer, or none that can be believed: it may have happened or not. Ask again later."""


class Refused(ProviderError):
    """A clear no. ``code`` is the provider's own word, for example ``amount_too_small``."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Missing(Refused):
    """The provider knows no such thing."""


class BadEvent(ProviderError):
    """What came to the hook is not an event of the provider: forged, old, broken. Never stored."""


@dataclass(frozen=True, slots=True)
class Item:
    """A line as the hosted page shows it. ``unit_minor`` is what the payer pays, tax included."""

    title: str
    unit_minor: int
    quantity: int = 1


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often something renews (``month`` or ``year``), and when it is charged next."""

    period: str
    charges_at: dt.datetime


@dataclass(frozen=True, slots=True)
class Intent:
    """All that a provider is told to collect an order's money: our own words and opaque ids.

    Made of committed rows only, so that asking again asks exactly the same. With ``period`` the
    items cost what every period costs; ``trial_days`` go before the first, and ``card`` says
    whether something to pay with is asked for then. ``draws_on`` names a subscription whose means
    of payment are charged without the payer being there.
    """

    attempt: str
    generation: int
    order: str
    customer: str
    payer: str
    items: tuple[Item, ...]
    currency: str
    period: str | None
    success_url: str
    cancel_url: str
    created_at: dt.datetime
    expires_at: dt.datetime
    language: str = "en"
    trial_days: int = 0
    card: bool = True
    draws_on: str = ""
    off: OffTerms | None = None
    """What a coupon takes off the items, if they renew."""

    @property
    def total_minor(self) -> int:
        """What the payer is to pay now."""
        if self.trial_days:
            return 0
        whole = sum(item.unit_minor * item.quantity for item in self.items)
        return whole - (self.off.minor if self.off else 0)

    @property
    def key(self) -> str:
        """The idempotency key: the attempt's, so that a crash never makes a second session."""
        return f"co:{self.attempt}" + (f":{self.generation}" if self.generation else "")


@dataclass(frozen=True, slots=True)
class Started:
    """Where the payer goes, and what the provider calls it."""

    reference: str
    url: str


@dataclass(frozen=True, slots=True)
class Asked:
    """An attempt to be looked at. ``received`` are sums noted by an operator or a bank file;
    ``accepted`` says that an operator takes them for the whole, whatever was asked.
    """

    attempt: str
    order: str
    reference: str
    asked_minor: int
    currency: str
    live: bool
    state: str
    received: tuple[int, ...] = ()
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Hint:
    """An event, reduced to what the inbox keeps."""

    account: str
    event_id: str
    type: str
    object_id: str
    livemode: bool
    api_version: str
    created_at: dt.datetime
    sha256: str


@dataclass(frozen=True, slots=True)
class Taken:
    """Money that a provider took for an order of ours, as its own list has it."""

    reference: str
    order: str
    amount_minor: int
    currency: str
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class Moved:
    """Money that moved, as the provider's own books have it. ``what``: ``payment``, ``refund`` or
    ``dispute``; ``reference`` is its id of that, ``payment`` of the payment that it is about.
    """

    what: str
    reference: str
    payment: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Located:
    """What an event is about, as far as the provider can tell. Empty text: unknown or none.

    ``payer`` is one that the provider does not know any more; ``warning`` says that the card's bank
    takes the payment for fraud.
    """

    order: str = ""
    reference: str = ""
    payment: str = ""
    subscription: str = ""
    invoice: str = ""
    payer: str = ""
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor as the register names it."""

    name: str
    country: str
    purpose: str
    data: tuple[str, ...]
    policy_url: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a bank may see of a sale: texts of ours, nobody's name, nothing that was called."""

    product: str
    served_on: str
    activity: str
    rest: str


class Provider(Protocol):
    """The behaviour of a provider file. ``remote`` is False if the truth is in our own rows.

    ``open_for`` is how long an order waits for money by this way.
    """

    name: str
    live: bool
    remote: bool
    open_for: dt.timedelta

    def start(self, intent: Intent) -> Started:
        """Make (or find again) the place where the payer pays; with ``draws_on`` also try to collect."""

    def find(self, intent: Intent) -> Started | None:
        """Look a session up by our attempt's id, for when an answer was lost long ago."""

    def fetch(self, asked: Asked) -> Collected:
        """The present truth of an attempt. Raises :class:`Missing` if there is none."""

    def expire(self, reference: str) -> None:
        """See that nobody can pay there any more; already closed is fine."""

    def refund(self, refund: str, payment: str, amount_minor: int, currency: str, order: str) -> RefundFact:
        """Give money back once, however often it is asked with the same ``refund`` id."""

    def read_event(self, body: bytes, signature: str, now: dt.datetime) -> Hint:
        """Verify what came to the hook; raises :class:`BadEvent`."""

    def locate(self, kind: str, object_id: str) -> Located:
        """Ask what an event's object belongs to."""

    def missed(self, since: dt.datetime) -> tuple[Hint, ...]:
        """Events that could not be delivered to the hook."""

    def taken(self, since: dt.datetime) -> tuple[Taken, ...]:
        """What was paid for orders of ours since then, for a book that was restored."""

    def moved(self, since: dt.datetime, until: dt.datetime) -> tuple[Moved, ...]:
        """What moved between two instants by the provider's own books, for comparing with ours."""

    def deaf(self, url: str) -> tuple[str, ...]:
        """What keeps the provider from telling us things at ``url``: ``no_endpoint``, ``disabled``,
        ``api_version`` or ``event:<type>``; nothing if all is well.
        """

    def subscription(self, reference: str) -> SubscriptionFact:
        """The present truth of something that renews. Raises :class:`Missing`."""

    def cancel(self, reference: str, *, at_end: bool) -> None:
        """End a subscription, at once or with its period; one that has ended already is fine."""

    def pause(self, reference: str) -> None:
        """Ask for no money until :meth:`resume`; what is paid goes on to its end."""

    def resume(self, reference: str) -> None:
        """Take back a :meth:`cancel` that waits for the end of the period, or a :meth:`pause`."""

    def change(
        self,
        reference: str,
        item: Item,
        currency: str,
        key: str,
        off: OffTerms | None = None,
        rhythm: Rhythm | None = None,
    ) -> None:
        """Let the next periods cost what ``item`` says, less what a coupon takes ``off``; nothing is
        charged for the present one, and nothing before ``rhythm`` says if that is another one."""

    def portal(self, payer: str, back: str) -> str:
        """The address where a payer changes how they pay."""

    def contest(self, dispute: str, evidence: Evidence) -> None:
        """Answer a dispute with what we can show; once is enough, and again with the same does no harm."""

    def forget(self, payer: str) -> None:
        """Erase what the provider keeps of a payer, as far as the law lets it."""


class Module(Protocol):
    """The shape of a provider file."""

    PROCESSOR: Processor | None

    def build(self, options: Mapping[str, Any]) -> Provider:
        """Make the provider from the options of the installation."""
