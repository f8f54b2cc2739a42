"""What an order's money is, as a pure function of its rows.

Events of a provider are hints only: whatever arrives, in any order, twice or
not at all, the rows are brought up to the provider's present truth and the
state is derived again. Nothing here remembers the way it came.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace

from tollkeeper.core.states import ATTEMPT, DISPUTE, REFUND, Machine, step

MONEY = (
    "unpaid",
    "processing",
    "paid",
    "overpaid",
    "part_refunded",
    "refunded",
    "disputed",
    "charged_back",
)
"""The money axis of an order, in the order in which it is usually walked."""

OPEN_DISPUTES = frozenset({"needs_response", "under_review"})
PENDING_REFUNDS = frozenset({"requested", "submitted", "pending"})


@dataclass(frozen=True, slots=True)
class Due:
    """What the frozen order asks for. ``accepted`` is the mismatch that an operator has let pass."""

    amount_minor: int
    currency: str
    live: bool
    accepted: str = ""


@dataclass(frozen=True, slots=True)
class RefundFact:
    """A refund as the provider tells it; ``ours`` is our refund's id if we made it."""

    reference: str
    state: str
    amount_minor: int
    ours: str = ""


@dataclass(frozen=True, slots=True)
class DisputeFact:
    """A dispute as the provider tells it."""

    reference: str
    state: str
    amount_minor: int
    reason: str = ""
    respond_by: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class RenewalFact:
    """What a session or an invoice tells of its subscription.

    ``starts_at`` is the beginning of the period that the invoice pays for, where it says so;
    ``trial_from`` that of a trial, which lasts to the anchor.
    """

    reference: str
    invoice: str
    anchor_at: dt.datetime
    starts_at: dt.datetime | None = None
    trial_from: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionFact:
    """The present truth of a subscription. ``state`` is a word of ``core.states.SUBSCRIPTION``.

    ``order`` is our number of the order that began it, as the provider stored it; ``pay_url`` the
    page on which its newest invoice can be paid by hand, if it is open.
    """

    reference: str
    state: str
    order: str
    ends_with_period: bool
    invoice: str
    amount_minor: int
    currency: str
    ended_at: dt.datetime | None = None
    pay_url: str = ""


@dataclass(frozen=True, slots=True)
class Collected:
    """The present truth of one attempt, as its provider tells it.

    ``state`` is ``open``, ``processing``, ``succeeded``, ``failed``, ``cancelled`` or
    ``expired``; ``order`` our public number as the provider stored it; ``payment`` the
    provider's id of the money movement, ``payer`` its opaque id of the customer.
    """

    reference: str
    state: str
    amount_minor: int
    currency: str
    live: bool
    order: str
    payment: str = ""
    payer: str = ""
    url: str = ""
    decline: str = ""
    refunds: tuple[RefundFact, ...] = ()
    disputes: tuple[DisputeFact, ...] = ()
    renewal: RenewalFact | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """One attempt row: what was asked and what came. ``returned``: all of it has gone back."""

    state: str
    asked_minor: int
    amount_minor: int
    currency: str
    live: bool
    order_matches: bool = True
    returned: bool = False


@dataclass(frozen=True, slots=True)
class Settlement:
    """The derived money of an order. ``review`` names what does not match, or is empty."""

    money: str
    captured_minor: int
    refunded_minor: int
    pending_refund_minor: int
    lost_minor: int
    review: str

    @property
    def fulfil(self) -> bool:
        """True if the goods are to be handed over, now or by now."""
        return not self.review and self.money in ("paid", "overpaid", "part_refunded")

    @property
    def refundable_minor(self) -> int:
        """What may still be given back: nothing while a dispute is open."""
        if self.money == "disputed":
            return 0
        taken = self.refunded_minor + self.pending_refund_minor + self.lost_minor
        return max(0, self.captured_minor - taken)


def _mismatch(due: Due, charges: Iterable[Charge]) -> str:
    for charge in charges:
        wrong = {
            "currency": charge.currency != due.currency,
            "mode": charge.live != due.live,
            "order": not charge.order_matches,
            "amount": charge.amount_minor != charge.asked_minor,
        }
        for reason, found in wrong.items():
            if found and reason != due.accepted:
                return reason
    return ""


def derive(
    due: Due,
    charges: Iterable[Charge],
    refunds: Iterable[tuple[str, int]] = (),
    disputes: Iterable[tuple[str, int]] = (),
) -> Settlement:
    """The settlement of an order from its rows; the order of the rows does not matter.

    ``refunds`` and ``disputes`` are (state, minor units), of money in the order's own currency
    and mode. A charge whose amount, currency, mode or order differs from what was asked sets
    ``review``: such money is never fulfilled without a person, who lets it pass or sends it back.
    """
    rows = tuple(charges)
    came = tuple(row for row in rows if row.state == "succeeded")
    kept = (row for row in came if not row.returned)
    review = _mismatch(due, sorted(kept, key=lambda c: (c.currency, c.live, c.amount_minor)))
    good = tuple(c for c in came if c.currency == due.currency and c.live == due.live)
    captured = sum(c.amount_minor for c in good)
    back = tuple(refunds)
    refunded = sum(amount for state, amount in back if state == "succeeded")
    pending = sum(amount for state, amount in back if state in PENDING_REFUNDS)
    claims = tuple(disputes)
    lost = sum(amount for state, amount in claims if state == "lost")
    contested = any(state in OPEN_DISPUTES for state, _ in claims)
    wanted = due.amount_minor
    if due.accepted == "amount" and good:
        wanted = min(wanted, captured)
    if good and captured < wanted and not review and not all(c.returned for c in good):
        review = "amount"
    enough = bool(good) and captured >= wanted
    if not enough:
        money = "processing" if any(row.state == "processing" for row in rows) else "unpaid"
        if refunded and refunded >= captured:
            money = "refunded"
    elif contested:
        money = "disputed"
    elif any(state == "lost" for state, _ in claims):
        money = "charged_back"
    elif captured - refunded > wanted:
        money = "overpaid"
    elif captured - refunded == wanted:
        money = "paid"
    else:
        money = "refunded" if refunded >= captured else "part_refunded"
    return Settlement(money, captured, refunded, pending, lost, review)


def correction(invoiced_minor: int, settlement: Settlement, *, ended: bool) -> int:
    """How much of an invoice is to stand corrected, so that what stands is what was kept.

    Money that came twice was invoiced once: giving it back corrects nothing. An invoice that
    waits for its money stands; one whose order ``ended`` without it does not.
    """
    if not settlement.captured_minor:
        return invoiced_minor if ended else 0
    kept = settlement.captured_minor - settlement.refunded_minor
    return min(invoiced_minor, max(0, invoiced_minor - kept))


def towards(machine: Machine, state: str, target: str) -> str:
    """``state`` moved one step to ``target`` if the table allows it, else unchanged.

    For what others tell us: an old or impossible story changes nothing, and what has
    succeeded never regresses.
    """
    for event, result in machine.table.get(state, {}).items():
        if result == target:
            return step(machine, state, event)
    return state


def absorb(charge: Charge, told: Collected, order: str) -> Charge:
    """A charge brought up to what its provider tells; ``order`` is our own number."""
    state = towards(ATTEMPT, charge.state, "redirected" if told.state == "open" else told.state)
    if told.state != "succeeded":
        return replace(charge, state=state)
    return replace(
        charge,
        state=state,
        amount_minor=told.amount_minor,
        currency=told.currency,
        live=told.live,
        order_matches=told.order == order,
    )


def absorb_refund(state: str, told: RefundFact) -> str:
    """The state of a refund brought up to what its provider tells."""
    known = step(REFUND, state, "submit") if state == "requested" else state
    return towards(REFUND, known, told.state)


def absorb_dispute(state: str, told: DisputeFact) -> str:
    """The state of a dispute brought up to what its provider tells."""
    return towards(DISPUTE, state, told.state)
