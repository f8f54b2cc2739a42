"""Reads of the gates' feed for others: which keys changed, in the order of the commits."""

from __future__ import annotations

from dataclasses import dataclass

from tollkeeper.delivery.models import KeyEntry


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A key as gates know it since ``version``. ``name`` is what its owner calls it: not for others."""

    version: int
    key_id: int
    customer_id: int
    prefix: str
    state: str
    reason: str


def since(version: int, limit: int = 500) -> list[KeyChange]:
    """Keys that changed after a version of the feed, oldest first; a version is never cut in two."""
    rows = KeyEntry.objects.filter(version__gt=version).order_by("version", "pk")
    last = rows.values_list("version", flat=True)[limit - 1 : limit].first()
    if last is not None:
        rows = rows.filter(version__lte=last)
    return [
        KeyChange(row.version, row.key_id, row.customer_id, row.key.prefix_hint, row.state, row.reason)
        for row in rows.select_related("key")
    ]
