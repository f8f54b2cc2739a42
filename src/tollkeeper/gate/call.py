"""One call through the gate: admitted once, settled exactly once."""

from __future__ import annotations

from typing import ClassVar, Final

from tollkeeper.core import limits as speed
from tollkeeper.core.charges import Outcome, charge
from tollkeeper.core.meters import NO_TOKENS, Count, Reading
from tollkeeper.core.records import STREAMED, Parts, pack_admitted, pack_ids, pack_settled, short
from tollkeeper.gate.directory import Key
from tollkeeper.gate.lease_book import Holds
from tollkeeper.gate.routes import Route

_OK: Final = int(Outcome.OK)
_EMPTY: Final = int(Outcome.EMPTY)
_FAILED: Final = int(Outcome.FAILED_STREAM)


class AlreadySettled(Exception):
    """A call was to be settled twice: a mistake in the gate, never to be passed over."""


class Call:
    """A call while it runs; ``began_us`` is of the monotonic clock."""

    __slots__ = (
        "began_us",
        "bytes_in",
        "bytes_out",
        "call_id",
        "costs",
        "held",
        "holds",
        "ids",
        "key",
        "method",
        "names",
        "reading",
        "route",
        "settled",
        "streamed",
    )

    meter_failures: ClassVar[int] = 0
    """Calls of this process whose meter could not count; they are charged as held, and marked."""

    def __init__(self, call_id: int, key: Key, route: Route, method: int, reading: Reading | None) -> None:
        self.call_id = call_id
        self.key = key
        self.route = route
        self.method = method
        self.reading = reading
        self.held: int = route.cost if reading is None else reading.held
        self.costs = (1, self.held, 0 if reading is None else reading.tokens_held)
        self.names: bytes = key.grant.allowed[route.index]
        self.holds: Holds = ()
        self.began_us = 0
        self.ids: bytes = b""
        """Numbers and instant, as both records of the call have them."""
        self.bytes_in = 0
        self.bytes_out = 0
        self.streamed = False
        self.settled = False

    def admitted(self, holds: Holds, mono_us: int, now_us: int) -> bytes:
        """The record of the admission."""
        self.holds = holds
        self.began_us = mono_us
        key = self.key
        parts: Parts
        if len(holds) == 1:
            lease, part = holds[0]
            parts = ((lease.id, part),)
        else:
            parts = tuple([(lease.id, part) for lease, part in holds])
        self.ids = pack_ids(self.call_id, key.key_id, key.customer.customer_id, now_us)
        return pack_admitted(self.ids, self.method, parts, self.names)

    def settle(self, outcome: int, status: int, latency_us: int) -> bytes:
        """Charge by the charge table, give the rest of the hold back, and give the record of it."""
        if self.settled:
            raise AlreadySettled(str(self.call_id))
        self.settled = True
        key = self.key
        key.customer.in_flight -= 1
        reading = self.reading
        tokens, model, flags = NO_TOKENS, b"\x00", 0
        if reading is None:
            if outcome == _OK:
                units = self.held
            else:
                units, flags = charge(
                    Outcome(outcome), self.route.protocol, self.held, self.held, estimated=False
                )
        else:
            try:
                count = reading.count()
            except Exception:  # noqa: BLE001 - whatever a meter does wrong, the call must end
                Call.meter_failures += 1
                count = Count(None)
            tokens, model = count.tokens, short(reading.model)
            if outcome == _OK and (count.failed or count.empty):
                outcome = _FAILED if count.failed else _EMPTY
            units, flags = charge(
                Outcome(outcome), self.route.protocol, count.units, self.held, estimated=count.estimated
            )
        if units != self.held and key.limits:
            used = (1, units, sum(tokens))
            speed.settle(key.limits, self.costs, used)
            if key.customer.allowance is not None:
                key.customer.allowance.give_back(key.limits, self.costs, used)
        parts, unpaid = key.purse.settle(self.holds, units)
        return pack_settled(
            self.ids,
            latency_us,
            status,
            outcome,
            flags | STREAMED if self.streamed else flags,
            self.method,
            self.bytes_in,
            self.bytes_out,
            tokens,
            unpaid,
            parts,
            self.names,
            model,
        )
