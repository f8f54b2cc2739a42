"""Leases in the book: the only thing a gate writes there.

A draw is one transaction: live grants are carved, the ledger moves the units from
``grant:<id>`` to ``held:<lease>``, the lease and the balance follow. What becomes
of the units is told in the journal and booked by the worker.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass

from tollkeeper.core.ledger import GrantView, carve, is_live, lease_legs
from tollkeeper.core.terms import MICRO
from tollkeeper.gate.book import Book

LEASE_TTL_US = 30_000_000
PLENTY = 16
"""This part of a balance may be lent at once, however little is asked for: draws stay rare."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A lease that was drawn; ``amount`` 0 means none, because the balance is too small.

    ``elsewhere`` is what other leases hold of the same balance.
    """

    lease_id: bytes
    amount: int
    expires_at: int
    elsewhere: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A balance for its owner: micro-units; grants as (amount, remaining, expires_at, source)."""

    spendable: int
    held: int
    grants: tuple[tuple[int, int, int | None, str], ...]


def _grants(book: Book, customer_id: int, unit: str) -> list[GrantView]:
    """What may be lent: nothing that came with a plan that an operator has stopped."""
    rows = book.locked_rows(
        "SELECT id, remaining, priority, effective_at, expires_at, created_at FROM usage_grant"
        " WHERE customer_id = ? AND unit = ? AND voided_at IS NULL AND remaining > 0"
        " AND scope NOT IN (SELECT plan FROM delivery_stoppedplan)",
        customer_id,
        unit,
    )
    return [GrantView(*row) for row in rows]


@dataclass(frozen=True, slots=True, order=True)
class Ask:
    """What a draw asks for: at least ``need`` micro-units, ``want`` if there is plenty."""

    customer_id: int
    unit: str
    need: int
    want: int


def draw(book: Book, gate_id: str, asks: list[Ask], now_us: int) -> list[Drawn]:
    """Lend units to this gate, for several balances in one transaction.

    Near the end of a balance no more than half of it is taken, so that other gates
    find some. Raises ``BookUnreachable``; then nothing was drawn, or leases that
    nobody uses and that lapse.
    """
    drawn: dict[Ask, Drawn] = {}
    with book.writing():
        for ask in sorted(asks):  # always in the same order, so that two gates never wait for each other
            drawn[ask] = _draw_one(book, gate_id, ask, now_us)
    return [drawn[ask] for ask in asks]


def _draw_one(book: Book, gate_id: str, ask: Ask, now_us: int) -> Drawn:
    lease_id = uuid.uuid4()
    balance = book.locked_rows(
        "SELECT held FROM usage_balance WHERE customer_id = ? AND unit = ?", ask.customer_id, ask.unit
    )
    if not balance:
        return Drawn(lease_id.bytes, 0, 0, 0)
    held = int(balance[0][0])
    grants = _grants(book, ask.customer_id, ask.unit)
    live = sum(grant.remaining for grant in grants if is_live(grant, now_us))
    if live < ask.need or not live:
        return Drawn(lease_id.bytes, 0, 0, held)
    half = live // 2 - live // 2 % MICRO
    sources = carve(grants, max(ask.need, min(max(ask.want, live // PLENTY), half)), now_us)
    amount = sum(part for _, part in sources)
    lease = _Lease(
        str(lease_id), gate_id, ask.customer_id, ask.unit, amount, sources, now_us, now_us + LEASE_TTL_US
    )
    _book_draw(book, lease)
    return Drawn(lease_id.bytes, amount, lease.expires_at, held)


@dataclass(frozen=True, slots=True)
class _Lease:
    lease_id: str
    gate_id: str
    customer_id: int
    unit: str
    amount: int
    sources: tuple[tuple[int, int], ...]
    drawn_at: int
    expires_at: int


def _book_draw(book: Book, lease: _Lease) -> None:
    for grant_id, part in lease.sources:
        book.change("UPDATE usage_grant SET remaining = remaining - ? WHERE id = ?", part, grant_id)
    [(txn_id,)] = book.rows(
        "INSERT INTO usage_txn (key, kind, ref, booked_at) VALUES (?, 'lease', ?, ?) RETURNING id",
        f"lease:{lease.lease_id}",
        lease.lease_id,
        lease.drawn_at,
    )
    for leg in lease_legs(lease.lease_id, lease.sources):
        book.change(
            "INSERT INTO usage_entry (txn_id, customer_id, account, unit, amount) VALUES (?, ?, ?, ?, ?)",
            txn_id,
            lease.customer_id,
            leg.account,
            lease.unit,
            leg.amount,
        )
    book.change(
        "INSERT INTO usage_lease (id, gate_id, customer_id, unit, amount, settled, state, sources, drawn_at,"
        " expires_at) VALUES (?, ?, ?, ?, ?, 0, 'open', ?, ?, ?)",
        lease.lease_id,
        lease.gate_id,
        lease.customer_id,
        lease.unit,
        lease.amount,
        json.dumps([list(source) for source in lease.sources]),
        lease.drawn_at,
        lease.expires_at,
    )
    book.change(
        "UPDATE usage_balance SET spendable = spendable - ?, held = held + ?, version = version + 1"
        " WHERE customer_id = ? AND unit = ?",
        lease.amount,
        lease.amount,
        lease.customer_id,
        lease.unit,
    )


def renew(book: Book, lease_ids: list[bytes], now_us: int) -> tuple[set[bytes], int]:
    """Extend leases that are still open; which were extended, and until when."""
    expires_at = now_us + LEASE_TTL_US
    renewed = set()
    with book.writing():
        for lease_id in lease_ids:
            changed = book.change(
                "UPDATE usage_lease SET expires_at = ? WHERE id = ? AND state = 'open'",
                expires_at,
                str(uuid.UUID(bytes=lease_id)),
            )
            if changed:
                renewed.add(lease_id)
    return renewed, expires_at


def standing(book: Book, customer_id: int, unit: str, now_us: int) -> Standing:
    """What the book says of a balance, without what came with plans that are stopped; read only."""
    balance = book.rows(
        "SELECT spendable, held FROM usage_balance WHERE customer_id = ? AND unit = ?", customer_id, unit
    )
    [(resting,)] = book.rows(
        "SELECT coalesce(sum(remaining), 0) FROM usage_grant WHERE customer_id = ? AND unit = ?"
        " AND scope IN (SELECT plan FROM delivery_stoppedplan)",
        customer_id,
        unit,
    )
    grants = book.rows(
        "SELECT amount, remaining, expires_at, source FROM usage_grant WHERE customer_id = ? AND unit = ?"
        " AND voided_at IS NULL AND effective_at <= ? AND (expires_at IS NULL OR expires_at > ?)"
        " AND scope NOT IN (SELECT plan FROM delivery_stoppedplan)"
        " ORDER BY priority, created_at LIMIT 100",
        customer_id,
        unit,
        now_us,
        now_us,
    )
    spendable, held = balance[0] if balance else (0, 0)
    return Standing(
        int(spendable) - int(resting), int(held), tuple((int(a), int(r), e, str(s)) for a, r, e, s in grants)
    )
