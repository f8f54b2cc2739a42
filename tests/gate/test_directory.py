"""Keys are found as the book last said, and limits count per customer."""

from __future__ import annotations

import pytest

from tollkeeper.core.terms import GateTerms, KeyTerms, LimitTerms, RouteTerms, encode
from tollkeeper.gate.directory import Directory, EntryRow
from tollkeeper.gate.routes import RouteTable

TABLE = RouteTable(
    GateTerms(shop="x", routes=(RouteTerms("a", "/a"), RouteTerms("b", "/b", scope="write")), upstreams=())
)
TERMS = KeyTerms(plan="p", limits=(LimitTerms("l", "requests", 5, 1),), scopes=("read",))


def row(number: int, customer: int = 1, state: str = "active", reason: str = "", terms: str = "") -> EntryRow:
    digest = number.to_bytes(16)
    return (number, digest, customer, f"t{customer}", state, reason, terms or encode(TERMS), None, number)


def test_entries_are_found_and_follow_changes() -> None:
    directory = Directory(TABLE)
    directory.apply([row(1)])
    key = directory.find((1).to_bytes(16))
    assert key is not None
    assert (key.key_id, key.tenant, key.refused_as) == (1, b"t1", "")
    assert directory.find((1).to_bytes(16)) is key
    assert directory.find((2).to_bytes(16)) is None
    directory.apply([row(1, state="suspended", reason="payment_due")])
    changed = directory.find((1).to_bytes(16))
    assert changed is not None
    assert (changed.refused_as, changed.reason) == ("key_suspended", "payment_due")
    assert changed.customer is key.customer, "live state outlives the change"
    directory.apply([row(1, state="nonsense")])
    unknown = directory.find((1).to_bytes(16))
    assert unknown is not None
    assert unknown.refused_as == "key_revoked", "a state we do not know lets nobody in"


def test_limits_and_purses_belong_to_the_customer() -> None:
    directory = Directory(TABLE)
    directory.apply([row(1), row(2), row(3, customer=2)])
    first, second, other = (directory.find(n.to_bytes(16)) for n in (1, 2, 3))
    assert first is not None
    assert second is not None
    assert other is not None
    assert first.limits[0] is second.limits[0]
    assert first.purse is second.purse
    assert first.limits[0] is not other.limits[0]


def test_terms_decide_which_routes_are_open() -> None:
    directory = Directory(TABLE)
    wide = encode(KeyTerms(plan="p"))
    narrow = encode(KeyTerms(plan="p", routes=("b",)))
    directory.apply([row(1), row(2, terms=wide), row(3, terms=narrow), row(4, terms="{broken")])
    opened = []
    for number in (1, 2, 3, 4):
        key = directory.find(number.to_bytes(16))
        assert key is not None
        opened.append([bool(names) for names in key.grant.allowed])
    assert opened == [[True, False], [True, True], [False, True], [False, False]]


@pytest.mark.parametrize(
    "terms",
    [
        "{broken",
        encode(KeyTerms(plan="p", limits=(LimitTerms("l", "apples", 5, 1),))),
        encode(KeyTerms(plan="p", limits=(LimitTerms("l", "requests", 0, 1),))),
        encode(KeyTerms(plan="p", ip_ranges=("here",))),
    ],
)
def test_terms_that_cannot_be_read_are_told_until_nobody_has_them(terms: str) -> None:
    directory = Directory(TABLE)
    directory.apply([row(1), row(2, terms=terms), row(3, terms=terms), row(4, terms="{}")])
    assert directory.broken_terms == 2, "before any of their keys was used"
    directory.use_table(TABLE)
    for number in (1, 2, 3, 4):
        directory.find(number.to_bytes(16))
    assert directory.broken_terms == 2
    directory.apply([row(2), row(4, terms="{}", state="revoked")])
    assert directory.broken_terms == 1
    directory.apply([row(3, terms=terms, state="revoked")])
    assert directory.broken_terms == 0
    directory.apply([row(3, terms=terms)])
    assert directory.broken_terms == 1


def test_networks() -> None:
    directory = Directory(TABLE)
    directory.apply([row(1, terms=encode(KeyTerms(plan="p", ip_ranges=("10.0.0.0/8", "2001:db8::/32"))))])
    key = directory.find((1).to_bytes(16))
    assert key is not None
    admitted = [
        a
        for a in ("10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1", "11.0.0.1", "x")
        if key.grant.admits_address(a)
    ]
    assert admitted == ["10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1"]


def test_a_new_table_makes_keys_ready_again() -> None:
    directory = Directory(TABLE)
    directory.apply([row(1)])
    before = directory.find((1).to_bytes(16))
    directory.use_table(RouteTable(GateTerms(shop="x", routes=(), upstreams=())))
    after = directory.find((1).to_bytes(16))
    assert before is not None
    assert after is not None
    assert after.grant.allowed == []
    assert after.customer is before.customer
