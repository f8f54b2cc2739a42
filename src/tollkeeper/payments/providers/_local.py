"""What providers have in common whose truth lies in the shop's own rows: nobody is asked, nobody writes."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tollkeeper.core.settlement import SubscriptionFact
from tollkeeper.core.terms import OffTerms
from tollkeeper.payments.providers import (
    BadEvent,
    Evidence,
    Item,
    Located,
    Missing,
    Moved,
    Refused,
    Rhythm,
    Taken,
)


class Local:
    """The base of a provider without a far side."""

    remote = False

    def __init__(self, live: bool) -> None:
        self.live = live

    def expire(self, reference: str) -> None:
        """Nothing is open anywhere; a transfer that comes late is late money."""

    def read_event(self, body: bytes, signature: str, now: dt.datetime) -> Any:
        """Nobody writes to us."""
        raise BadEvent("this provider sends no events")

    def locate(self, kind: str, object_id: str) -> Located:
        """Nothing to ask."""
        return Located()

    def missed(self, since: dt.datetime) -> tuple[Any, ...]:
        """Nobody writes to us."""
        return ()

    def subscription(self, reference: str) -> SubscriptionFact:
        """The shop's own rows are the truth."""
        raise Missing("kept_by_the_shop")

    def cancel(self, reference: str, *, at_end: bool) -> None:
        """The shop's own rows are the truth."""

    def pause(self, reference: str) -> None:
        """What renews, the shop renews itself, and it does not while it is paused."""

    def resume(self, reference: str) -> None:
        """The shop's own rows are the truth."""

    def change(
        self,
        reference: str,
        item: Item,
        currency: str,
        key: str,
        off: OffTerms | None = None,
        rhythm: Rhythm | None = None,
    ) -> None:
        """The shop's own rows are the truth."""

    def portal(self, payer: str, back: str) -> str:
        """There is nothing to change elsewhere."""
        raise Refused("no_portal")

    def contest(self, dispute: str, evidence: Evidence) -> None:
        """No bank takes anything back here."""
        raise Missing("no_disputes")

    def taken(self, since: dt.datetime) -> tuple[Taken, ...]:
        """All there is stands in our own rows."""
        return ()

    def moved(self, since: dt.datetime, until: dt.datetime) -> tuple[Moved, ...]:
        """There are no books but ours."""
        return ()

    def deaf(self, url: str) -> tuple[str, ...]:
        """Nobody writes to us."""
        return ()

    def forget(self, payer: str) -> None:
        """Nobody knows anybody."""
