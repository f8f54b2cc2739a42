"""Every state machine of the product, as tables, and the one function that steps them.

A state moves only through :func:`step`. ``docs/states.md`` is drawn from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class IllegalStep(Exception):
    """A transition that no table allows: names the machine, the state and the event."""

    def __init__(self, machine: str, state: str, event: str) -> None:
        super().__init__(f"{machine}: no step {event!r} from {state!r}")
        self.machine, self.state, self.event = machine, state, event


@dataclass(frozen=True, slots=True)
class Machine:
    """``table[state][event]`` is the next state; ``initial`` is where rows are born."""

    name: str
    initial: str
    table: Mapping[str, Mapping[str, str]]

    @property
    def states(self) -> tuple[str, ...]:
        """All states in the order of the table, targets included."""
        seen = dict.fromkeys(self.table)
        for row in self.table.values():
            seen.update(dict.fromkeys(row.values()))
        return tuple(seen)

    @property
    def final(self) -> frozenset[str]:
        """States that nothing leaves."""
        return frozenset(s for s in self.states if not self.table.get(s))


def step(machine: Machine, state: str, event: str) -> str:
    """The state after ``event``; raises :class:`IllegalStep` where the table has none."""
    try:
        return machine.table[state][event]
    except KeyError:
        raise IllegalStep(machine.name, state, event) from None


ORDER = Machine(
    "order",
    "draft",
    {
        "draft": {"confirm": "open", "cancel": "cancelled"},
        "open": {"complete": "closed", "expire": "expired", "cancel": "cancelled"},
        "expired": {"reopen": "open"},
        "cancelled": {"reopen": "open"},
        "closed": {},
    },
)
"""Lifecycle of an order; money and fulfilment are axes of their own."""

FULFILMENT = Machine(
    "fulfilment",
    "none",
    {
        "none": {"queue": "queued"},
        "queued": {"start": "running"},
        "running": {"deliver": "delivered", "fail": "failed"},
        "failed": {"queue": "queued", "revoke": "revoked"},
        "delivered": {"suspend": "suspended", "revoke": "revoked"},
        "suspended": {"resume": "delivered", "revoke": "revoked"},
        "revoked": {},
    },
)
"""Hand-over of one order line."""

ATTEMPT = Machine(
    "attempt",
    "created",
    {
        "created": {
            "redirect": "redirected",
            "process": "processing",
            "succeed": "succeeded",
            "fail": "failed",
            "cancel": "cancelled",
            "expire": "expired",
        },
        "redirected": {
            "process": "processing",
            "succeed": "succeeded",
            "fail": "failed",
            "cancel": "cancelled",
            "expire": "expired",
        },
        "processing": {"succeed": "succeeded", "fail": "failed", "expire": "expired"},
        "failed": {"succeed": "succeeded"},
        "cancelled": {"succeed": "succeeded"},
        "expired": {"succeed": "succeeded"},
        "succeeded": {},
    },
)
"""One try to collect money; ``succeeded`` never regresses, late money is believed."""

KEY = Machine(
    "key",
    "active",
    {
        "active": {"suspend": "suspended", "revoke": "revoked", "expire": "expired"},
        "suspended": {"resume": "active", "revoke": "revoked", "expire": "expired"},
        "expired": {},
        "revoked": {},
    },
)

LEASE = Machine(
    "lease",
    "open",
    {"open": {"return": "returned", "lapse": "lapsed"}, "returned": {}, "lapsed": {}},
)

JOB = Machine(
    "job",
    "ready",
    {
        "ready": {"claim": "running", "cancel": "cancelled"},
        "running": {"finish": "done", "retry": "ready", "give_up": "dead", "claim": "running"},
        "dead": {"retry": "ready", "cancel": "cancelled"},
        "done": {},
        "cancelled": {},
    },
)

INBOX = Machine(
    "inbox event",
    "received",
    {
        "received": {"finish": "done", "fail": "failed"},
        "failed": {"finish": "done", "fail": "failed"},
        "done": {},
    },
)

REFUND = Machine(
    "refund",
    "requested",
    {
        "requested": {
            "submit": "submitted",
            "hold": "pending",
            "succeed": "succeeded",
            "fail": "failed",
            "cancel": "cancelled",
        },
        "submitted": {"hold": "pending", "succeed": "succeeded", "fail": "failed", "cancel": "cancelled"},
        "pending": {"succeed": "succeeded", "fail": "failed", "cancel": "cancelled"},
        "succeeded": {"fail": "failed"},
        "failed": {},
        "cancelled": {},
    },
)
"""Money on its way back; a bank may still return what had succeeded."""

DISPUTE = Machine(
    "dispute",
    "inquiry",
    {
        "inquiry": {
            "escalate": "needs_response",
            "review": "under_review",
            "win": "won",
            "lose": "lost",
            "prevent": "prevented",
        },
        "needs_response": {"review": "under_review", "win": "won", "lose": "lost", "prevent": "prevented"},
        "under_review": {"win": "won", "lose": "lost", "ask_again": "needs_response"},
        "won": {},
        "lost": {"win": "won"},
        "prevented": {},
    },
)
"""A customer's bank asks for the money back."""

SUBSCRIPTION = Machine(
    "subscription",
    "incomplete",
    {
        "incomplete": {"start": "active", "try": "trialing", "cancel": "cancelled"},
        "trialing": {"start": "active", "miss": "past_due", "pause": "paused", "cancel": "cancelled"},
        "active": {"miss": "past_due", "pause": "paused", "suspend": "suspended", "cancel": "cancelled"},
        "past_due": {"start": "active", "suspend": "suspended", "cancel": "cancelled"},
        "suspended": {"start": "active", "cancel": "cancelled"},
        "paused": {"start": "active", "cancel": "cancelled"},
        "cancelled": {},
    },
)
"""A plan that renews. Access comes from its paid periods, never from this word alone."""

ALLOWANCE = Machine(
    "allowance",
    "open",
    {"open": {"bill": "billed", "close": "closed"}, "billed": {}, "closed": {}},
)
"""Use beyond a plan in one period; what was used of it is billed when it ends, if it is worth a bill."""

POLICY = Machine(
    "policy version",
    "draft",
    {
        "draft": {"announce": "announced", "activate": "active", "withdraw": "withdrawn"},
        "announced": {"activate": "active", "withdraw": "withdrawn"},
        "active": {"supersede": "superseded"},
        "superseded": {},
        "withdrawn": {},
    },
)
"""A version of the privacy policy; a material change goes by way of ``announced``."""

TICKET = Machine(
    "ticket",
    "open",
    {
        "open": {"answer": "answered", "close": "closed"},
        "answered": {"ask": "open", "answer": "answered", "close": "closed"},
        "closed": {"ask": "open"},
    },
)
"""A conversation with support: ``open`` waits for us, ``answered`` for the person."""

_ANSWERS = {
    "fulfil": "fulfilled",
    "fulfil_partly": "partly_fulfilled",
    "refuse": "refused",
    "withdraw": "withdrawn",
}
COPY = Machine(
    "copy",
    "queued",
    {
        "queued": {"build": "building", "fail": "failed"},
        "building": {"build": "building", "finish": "ready", "fail": "failed"},
        "ready": {"take": "taken", "expire": "expired"},
        "taken": {},
        "expired": {},
        "failed": {},
    },
)
"""A copy of a person's data as a file: fetched once, or expired."""

REQUEST = Machine(
    "request",
    "received",
    {
        "received": {"acknowledge": "acknowledged", "ask": "verifying", **_ANSWERS},
        "acknowledged": {"ask": "verifying", "extend": "extended", **_ANSWERS},
        "verifying": {"show": "acknowledged", "lapse": "lapsed", **_ANSWERS},
        "extended": {"ask": "verifying", **_ANSWERS},
        "fulfilled": {},
        "partly_fulfilled": {},
        "refused": {},
        "withdrawn": {},
        "lapsed": {},
    },
)
"""A request about personal data; ``verifying`` waits for the person to show who they are."""

MINOR = Machine(
    "report of a minor",
    "received",
    {
        "received": {"confirm": "frozen", "lapse": "lapsed"},
        "frozen": {"agree": "agreed", "reject": "rejected"},
        "agreed": {},
        "rejected": {},
        "lapsed": {},
    },
)
"""A report that an account is a child's: nothing happens before the reporter's address is confirmed."""

AUTHORITY = Machine(
    "authority case",
    "open",
    {
        "open": {"check": "checked", "refuse": "refused"},
        "checked": {"release": "released", "refuse": "refused"},
        "released": {},
        "refused": {},
    },
)
"""An authority asks for data; whoever opened the case cannot be the one who checks it."""

FORGETTING = Machine(
    "telling a processor to forget",
    "waiting",
    {
        "waiting": {"tell": "told", "lose": "unknown", "give_up": "by_hand", "rely": "contract"},
        "unknown": {"tell": "told", "lose": "unknown", "give_up": "by_hand"},
        "by_hand": {"tell": "told", "lose": "unknown", "give_up": "by_hand"},
        "contract": {},
        "told": {},
    },
)
"""A processor is told of an erasure; no answer is a state, and what stays so is an operator's task."""

MACHINES = (
    ORDER,
    FULFILMENT,
    ATTEMPT,
    REFUND,
    DISPUTE,
    SUBSCRIPTION,
    ALLOWANCE,
    KEY,
    LEASE,
    JOB,
    INBOX,
    POLICY,
    TICKET,
    REQUEST,
    COPY,
    MINOR,
    AUTHORITY,
    FORGETTING,
)
