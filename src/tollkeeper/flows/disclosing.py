"""Saying whom a message to a provider is about, so that the log of disclosures can tell them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tollkeeper.accounts import queries as accounts
from tollkeeper.kit import egress


@contextmanager
def about_customer(customer_id: int) -> Iterator[None]:
    """Messages inside concern this customer, for the purpose of their order."""
    with egress.about(subject=accounts.get_customer(customer_id).owner_id, purpose="order"):
        yield
