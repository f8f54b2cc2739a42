"""Which mails of the mailbox were taken in, so that none is taken twice."""

from __future__ import annotations

import datetime as dt

from tollkeeper.privacy.models import Arrival


def known(digest: str) -> bool:
    """Whether a mail was looked at before; ``digest`` is a keyed hash of its Message-ID."""
    return Arrival.objects.filter(digest=digest).exists()


def note(digest: str, became: str) -> None:
    """Note what a mail became: a number of ours, or why nothing; raises ``IntegrityError`` if it is known."""
    Arrival.objects.create(digest=digest, became=became[:20])


def forget(before: dt.datetime) -> int:
    """Forget mails that arrived before; how many."""
    return int(Arrival.objects.filter(arrived_at__lt=before).delete()[0])
