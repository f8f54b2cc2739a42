"""Who may call: key entries by digest, and the live state of those seen lately.

A million entries lie here as packed bytes (about 190 bytes each with their place
in the table); only keys that were used since the last change exist as objects.
Limits and concurrency count per customer, so that a second key is no second
allowance.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable
from typing import Final

from tollkeeper.core import limits as speed
from tollkeeper.core.records import short
from tollkeeper.core.terms import KeyTerms, LimitTerms, decode_key_terms
from tollkeeper.gate.allowance import Allowance, carried_over, fair_share, share_of
from tollkeeper.gate.lease_book import Purse
from tollkeeper.gate.routes import RouteTable

STATES: Final = ("active", "suspended", "revoked", "expired")
_PACK: Final = struct.Struct("<qqqIH")
_BROKEN = KeyTerms(plan="", routes=("\x00",))
"""Stands in for terms that cannot be read: they allow nothing."""

EntryRow = tuple[int, bytes, int, str, str, str, str, int | None, int]
"""key_id, digest, customer_id, tenant, state, reason, terms, expires_at, version."""


class Customer:
    """The live state of one customer in this gate."""

    __slots__ = ("allowance", "customer_id", "gates", "in_flight", "limits", "purses")

    def __init__(self, customer_id: int, gates: int) -> None:
        self.customer_id = customer_id
        self.gates = gates
        """This gate applies one part in so many of each limit."""
        self.allowance: Allowance | None = None
        """What it holds of limits that it shares with other gates."""
        self.in_flight = 0
        self.limits: dict[LimitTerms, speed.Limit] = {}
        self.purses: dict[str, Purse] = {}

    def limit(self, terms: LimitTerms) -> speed.Limit:
        """The state of a limit; one and the same for all keys with these terms."""
        found = self.limits.get(terms)
        if found is None:
            found = self.limits[terms] = speed.Limit(fair_share(terms, self.gates))
        return found

    def share_out(self, gates: int, mono_us: int) -> None:
        """Apply one part in ``gates`` from now on; what was used stays used."""
        self.gates = gates
        if self.allowance is not None:
            self.allowance.give_up()
        for terms, old in self.limits.items():
            self.limits[terms] = carried_over(old, speed.Limit(fair_share(terms, gates)), mono_us)

    def purse(self, unit: str) -> Purse:
        """The purse of a unit."""
        found = self.purses.get(unit)
        if found is None:
            found = self.purses[unit] = Purse(self.customer_id, unit)
        return found


class Grant:
    """Terms of keys made ready against the shop's routes; shared by all keys with the same terms."""

    __slots__ = ("allowed", "models", "networks", "terms", "unit_bytes")

    def __init__(self, terms: KeyTerms, table: RouteTable) -> None:
        self.terms = terms
        self.unit_bytes = short(terms.unit)
        self.models: frozenset[str] = frozenset(terms.models)
        self.networks = tuple(ipaddress.ip_network(text, strict=False) for text in terms.ip_ranges)
        self.allowed: list[bytes] = []
        """Per route: the names of its journal records, or empty if these terms forbid it."""
        for route in table.routes:
            open_to_all = not terms.routes or route.name in terms.routes
            in_scope = not route.terms.scope or not terms.scopes or route.terms.scope in terms.scopes
            self.allowed.append(route.name_bytes + self.unit_bytes if open_to_all and in_scope else b"")

    def admits_address(self, address: str) -> bool:
        """True if calls may come from ``address``; one that cannot be read may not."""
        if not self.networks:
            return True
        try:
            seen = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(seen, "ipv4_mapped", None)
        return any((mapped or seen) in network for network in self.networks)


class Key:
    """A key in use."""

    __slots__ = (
        "concurrency",
        "customer",
        "expires_at",
        "grant",
        "key_id",
        "limit_form",
        "limits",
        "purse",
        "reason",
        "refused_as",
        "tenant",
    )

    def __init__(
        self,
        key_id: int,
        customer: Customer,
        grant: Grant,
        state: str,
        reason: str,
        expires_at: int,
        tenant: bytes,
    ) -> None:
        terms = grant.terms
        self.key_id = key_id
        self.customer = customer
        self.grant = grant
        self.refused_as = "" if state == "active" else f"key_{state}"
        """Code of the refusal; empty for an active key."""
        self.reason = reason
        self.expires_at = expires_at
        self.tenant = tenant
        self.limits: tuple[speed.Limit, ...] = tuple([customer.limit(limit) for limit in terms.limits])
        self.concurrency = share_of(terms.concurrency, customer.gates)
        self.purse = customer.purse(terms.unit)
        self.limit_form: bytes = _limit_form(self.limits) if self.limits else b""


def _limit_form(limits: tuple[speed.Limit, ...]) -> bytes:
    """The fields that tell of limits, with places for what is left and seconds until all of it is:
    of each limit, and once more of the first."""
    policy = b", ".join([limit.policy.replace(b"%", b"%%") for limit in limits])
    items = b", ".join([b'"%b";r=%%d;t=%%d' % limit.name.encode().replace(b"%", b"%%") for limit in limits])
    return (
        b"\r\nRateLimit-Policy: %b\r\nRateLimit: %b\r\nX-RateLimit-Limit: %d"
        b"\r\nX-RateLimit-Remaining: %%d\r\nX-RateLimit-Reset: %%d"
    ) % (policy, items, limits[0].amount)


class Directory:
    """All key entries this gate knows, and the shop's routes."""

    def __init__(self, table: RouteTable) -> None:
        self.table = table
        self.hot: dict[bytes, Key] = {}
        self.customers: dict[int, Customer] = {}
        self.version = 0
        self.gates = 1
        self._packed: dict[bytes, bytes] = {}
        self._terms: list[str] = []
        self._terms_index: dict[str, int] = {}
        self._reasons: list[str] = [""]
        self._grants: dict[int, Grant] = {}
        self._broken: dict[int, set[bytes]] = {}
        """Terms that cannot be read, and the keys that have them and are not revoked."""
        self._hot_max = 200_000

    def __len__(self) -> int:
        return len(self._packed)

    @property
    def broken_terms(self) -> int:
        """How many sets of terms that are in use cannot be read: their limits hold nobody back."""
        return sum([bool(keys) for keys in self._broken.values()])

    def use_table(self, table: RouteTable) -> None:
        """Follow a new snapshot of the shop: keys are made ready again on their next call."""
        self.table = table
        self._grants.clear()
        self.hot.clear()

    def share_out(self, gates: int, mono_us: int) -> None:
        """Let this gate apply one part in ``gates`` of every limit; 1 is all of it."""
        self.gates = gates
        self.hot.clear()
        for customer in self.customers.values():
            customer.share_out(gates, mono_us)

    def apply(self, rows: Iterable[EntryRow]) -> None:
        """Take in new and changed entries, in the order of their versions."""
        for key_id, digest, customer_id, tenant, state, reason, terms, expires_at, version in rows:
            index = self._terms_index.get(terms)
            if index is None:
                index = self._terms_index[terms] = len(self._terms)
                self._terms.append(terms)
                if self._read(terms) is None:
                    self._broken[index] = set()
            code = STATES.index(state) if state in STATES else STATES.index("revoked")
            if code:
                if reason not in self._reasons and len(self._reasons) < 10_000:
                    self._reasons.append(reason)
                code += len(STATES) * (self._reasons.index(reason) if reason in self._reasons else 0)
            digest = bytes(digest)
            for number, keys in self._broken.items():  # hardly ever any
                if number == index and state in ("active", "suspended"):
                    keys.add(digest)
                else:
                    keys.discard(digest)
            packed = _PACK.pack(key_id, customer_id, expires_at or 0, index, code)
            self._packed[digest] = packed + tenant.encode()
            self.hot.pop(digest, None)
            self.version = max(self.version, version)

    def find(self, digest: bytes) -> Key | None:
        """The key with this digest, made ready; None if there is no such key."""
        key = self.hot.get(digest)
        if key is not None:
            return key
        packed = self._packed.get(digest)
        if packed is None:
            return None
        if len(self.hot) >= self._hot_max:
            self.hot.clear()
        key = self._make_ready(packed)
        self.hot[digest] = key
        return key

    def forget_idle_customers(self) -> int:
        """Drop the live state of customers that nothing counts for any more; how many were dropped."""
        idle = [
            number
            for number, customer in self.customers.items()
            if not customer.in_flight and not any(p.leases or p.waiting for p in customer.purses.values())
        ]
        if len(idle) <= self._hot_max:
            return 0
        self.hot.clear()
        for number in idle:
            del self.customers[number]
        return len(idle)

    def _make_ready(self, packed: bytes) -> Key:
        key_id, customer_id, expires_at, index, code = _PACK.unpack_from(packed)
        customer = self.customers.get(customer_id)
        if customer is None:
            customer = self.customers[customer_id] = Customer(customer_id, self.gates)
        state = STATES[code % len(STATES)]
        reason = self._reasons[code // len(STATES)]
        return Key(key_id, customer, self._grant(index), state, reason, expires_at, packed[_PACK.size :])

    def _grant(self, index: int) -> Grant:
        grant = self._grants.get(index)
        if grant is None:
            # Never free, never a crash: terms that cannot be read allow nothing.
            grant = self._read(self._terms[index]) or Grant(_BROKEN, self.table)
            self._grants[index] = grant
        return grant

    def _read(self, text: str) -> Grant | None:
        """Terms made ready; None if they cannot be read."""
        try:
            grant = Grant(decode_key_terms(text), self.table)
            for limit in grant.terms.limits:
                speed.Limit(limit)
        except ValueError:
            return None
        return grant
