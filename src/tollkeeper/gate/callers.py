"""Where calls come from, sealed to the day's public key: written here, and not readable here."""

from __future__ import annotations

import os
from collections.abc import Iterable

from tollkeeper.core.addresses import DAY_US, Agreement, day_of

LOG = "calls"
AGREEMENT_US = DAY_US // 24


class Callers:
    """Keeps the agreement that is good now. ``agreement`` is None where the day has no key: then
    no address is written at all."""

    def __init__(self) -> None:
        self.agreement: Agreement | None = None
        self._keys: dict[int, bytes] = {}
        self._hour = -1

    def use_keys(self, rows: Iterable[tuple[int, bytes]]) -> None:
        """Take over the public keys of days, as the book has them."""
        self._keys = {day: bytes(public) for day, public in rows}
        self._hour = -1

    def renew(self, now_us: int) -> None:
        """Agree anew if the hour, the day or its key changed; called once a second."""
        hour = now_us // AGREEMENT_US
        if hour == self._hour:
            return
        day = day_of(now_us)
        public = self._keys.get(day)
        self.agreement = Agreement(LOG, day, public, os.urandom(32)) if public else None
        self._hour = hour


def sealed_address(agreement: Agreement, address: str) -> bytes:
    """The 72 bytes for an address; empty for what is none, as the name of a local socket."""
    try:
        return agreement.seal(address)
    except ValueError:
        return b""
