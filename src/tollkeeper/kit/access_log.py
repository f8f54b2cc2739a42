"""Addresses in the access log, sealed to the day's public key; the files: ``kit.log_lines``."""

from __future__ import annotations

import base64
import datetime as dt
import secrets
import threading
from typing import Any

from django.db import Error as DatabaseError

from tollkeeper.core.addresses import Agreement
from tollkeeper.kit import log_keys, log_lines

AGREE_EVERY = dt.timedelta(hours=1)


class Sealer:
    """Seals addresses of the access log; one for a process, used by any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._agreement: Agreement | None = None
        self._until: dt.datetime | None = None

    def seal(self, address: str, now: dt.datetime) -> str | None:
        """The sealed address in URL-safe base 64; None without a key of the day, and for no address."""
        with self._lock:
            day = log_keys.day_number(now.date())
            spent = self._until is None or now >= self._until
            if spent or (self._agreement is not None and self._agreement.day != day):
                public = log_keys.find_public(log_keys.ACCESS, day)
                fresh = secrets.token_bytes(32)
                self._agreement = Agreement(log_keys.ACCESS, day, public, fresh) if public else None
                self._until = now + (AGREE_EVERY if public else dt.timedelta(minutes=1))
            if self._agreement is None:
                return None
            try:
                return base64.urlsafe_b64encode(self._agreement.seal(address)).decode()
            except ValueError:
                return None


_sealer = Sealer()


def line(address: str, facts: dict[str, Any], now: dt.datetime) -> dict[str, Any]:
    """What a line says; without the address where the book cannot be asked for a key."""
    try:
        sealed = _sealer.seal(address, now)
    except DatabaseError:
        sealed = None
    return {**facts, "from": sealed}


def note_access(address: str, facts: dict[str, Any], now: dt.datetime) -> None:
    """Write a line of the access log."""
    log_lines.append(log_lines.ACCESS_FILE, line(address, facts, now), now)
