"""What relays say by themselves of keys of ours: taken as of when they say, or as a reason to look."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from tollkeeper.delivery import queries as delivery
from tollkeeper.delivery.provisioners import BadPush, Seen
from tollkeeper.flows import relaying

log = logging.getLogger("tollkeeper.relaying")
__all__ = ["BadPush", "Taken", "take_push"]


@dataclass(frozen=True, slots=True)
class Taken:
    """Keys of which a message was news, was none, that are not ours, and that are looked at because of it."""

    news: int
    older: int
    unknown: int
    asked: int


def take_push(
    target: str, headers: Mapping[str, str], body: bytes, word: str = "", now: dt.datetime | None = None
) -> Taken:
    """Take a message of a relay. Raises ``relaying.NoTarget``, ``relaying.Refused``, :class:`BadPush`.

    It counts as of when it says, and only if nothing as late is known: the same message
    again changes nothing.
    """
    relay = relaying.provisioner(target)
    push = relay.pushed(headers, body, word)
    if relaying.counts_otherwise(target, push.unit):
        log.error("%s counts in %r, which is not what is sold of it", target, push.unit)
        raise BadPush(422, "the unit is not what is sold")
    known = delivery.leaders_of(target, [one.handle for one in push.keys])
    said: dict[int, Seen] = {}
    asked = unknown = 0
    for one in push.keys:
        row = known.get(one.handle)
        if row is None or (one.seen is not None and one.seen.label != row.label):
            unknown += 1
        elif one.seen is None:
            asked += relaying.ask_for_sync(row.delivery_id, now)
        else:
            said[row.delivery_id] = one.seen
    news = delivery.newer(said)
    relaying.compare(relay, news)
    return Taken(len(news), len(said) - len(news), unknown, asked)
