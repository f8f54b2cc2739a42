"""Keys at relays that somebody else runs: made, brought in line, watched, swept.

No step holds a transaction while a relay is asked. An answer that did not come is not
a failure: the next attempt looks before it makes. What should be at a relay is read
from our rows every time, so that jobs may run in any order and twice.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice

from django.utils import timezone

from tollkeeper.catalog import queries as catalog
from tollkeeper.core.terms import LineTerms, TargetTerms
from tollkeeper.delivery import queries as delivery_queries
from tollkeeper.delivery import registry
from tollkeeper.delivery import services as delivery
from tollkeeper.delivery.provisioners import Mismatch, Missing, Provisioner, ProvisionerError, Refused, Seen
from tollkeeper.kit import egress
from tollkeeper.kit import queries as jobs
from tollkeeper.kit.jobs import Context, GiveUp, enqueue, job, schedule

LOOK_AGAIN = dt.timedelta(seconds=10)
"""How often a customer may have a key looked at."""
ORPHAN_AFTER = dt.timedelta(hours=1)
"""A key with our label that we do not know is somebody's half-made one for so long at most."""

BATCH = 500
"""Keys that a sweep compares at a time."""

log = logging.getLogger("tollkeeper.relaying")


class NoTarget(LookupError):
    """The shop has no such relay (any more)."""


def provisioner(target: str) -> Provisioner:
    """The provisioner of a relay by its name. Raises :class:`NoTarget`, ``Refused``."""
    known = registry.standing_in(target)
    if known is not None:
        return known
    terms: TargetTerms | None = catalog.current_shop().targets.get(target)
    if terms is None:
        raise NoTarget(target)
    return registry.for_target(terms)


def provide(context: Context, delivery_id: int, terms: LineTerms, quantity: int) -> bool:
    """The steps of a delivery at a relay; answers whether there is a key to be shown."""
    units = sum(grant.amount for grant in terms.grants if grant.unit == terms.key.unit) * quantity
    taken_over = context.step("intend", _intend, delivery_id, terms.target, units)
    if taken_over:
        anew = all(grant.per == "period" for grant in terms.grants)
        with _said_why(delivery_id):
            used = context.call("measure", _measure, delivery_id)
        context.step("raise", _raise, delivery_id, used, anew)
        return False
    with _said_why(delivery_id):
        made = context.call("make", _make, delivery_id)
    context.step("keep", _keep, delivery_id, made)
    return True


@contextmanager
def _said_why(delivery_id: int) -> Iterator[None]:
    """What goes wrong stands at the delivery, too, for its customer and for operators."""
    try:
        yield
    except (ProvisionerError, NoTarget) as error:
        word = getattr(error, "code", delivery_queries.NO_ANSWER)
        if isinstance(error, NoTarget):
            word = "no_target"
        elif isinstance(error, Mismatch):
            word = f"{word}: {', '.join(error.fields)}"
        delivery.hold_up(delivery_id, word)
        raise


def _intend(delivery_id: int, target: str, units: int) -> bool:
    return delivery.intend(delivery_id, target=target, units=units)


def _make(delivery_id: int) -> delivery.Made:
    """Ask the relay for the key. What is journaled holds the secret sealed, never clear."""
    try:
        wish = delivery_queries.wish(delivery_id)
    except delivery.Gone:
        raise GiveUp("nobody_to_deliver_to") from None
    row = delivery_queries.get_delivery(delivery_id)
    with egress.about(purpose="delivery"):
        handed = provisioner(row.target).provide(wish)
    return delivery.seal_made(delivery_id, handed.handle, handed.secret)


def _keep(delivery_id: int, made: delivery.Made) -> None:
    delivery.keep_made(delivery_id, made)
    enqueue("sync_key", f"sync:first:{delivery_id}:{made['handle'][:60]}", delivery_id=delivery_id)


def _measure(delivery_id: int) -> int | None:
    row = delivery_queries.get_delivery(delivery_id)
    return provisioner(row.target).read(row.handle).used


def _raise(delivery_id: int, used: int | None, anew: bool) -> None:
    delivery.raise_cap(delivery_id, used=used, anew=anew)


@job("align_key", purpose="delivery", attempts=20)
def align_key(context: Context, delivery_id: int) -> None:
    """Bring one key at its relay in line with what should be there, whatever that is by now."""
    for _ in range(10):
        desire = delivery_queries.desired(delivery_id)
        if desire is None:
            return
        seen = _align(desire)
        if delivery.aligned(desire, seen):
            return
    raise ProvisionerError("what is wished changes faster than it can be done")


def _align(desire: delivery_queries.Desire) -> Seen | None:
    relay = provisioner(desire.target)
    try:
        if not desire.exists:
            relay.withdraw(desire.handle)
            return None
        if not desire.enabled:
            return relay.suspend(desire.handle)
        seen = relay.renew(desire.handle, desire.wish)
        return seen if seen.enabled else relay.resume(desire.handle)
    except Missing:
        if desire.exists:
            log.error("the key of delivery %s is missing at %s", desire.delivery_id, desire.target)
            delivery.lose(desire.delivery_id)
        return None


@job("remake_key", purpose="delivery", attempts=20)
def remake_key(context: Context, delivery_id: int) -> None:
    """Make a key anew that its relay has lost, and tell the customer where to see it."""
    made = context.call("make", _make, delivery_id)
    context.step("keep", _keep, delivery_id, made)
    context.step("tell", _tell_anew, delivery_id)


def _tell_anew(delivery_id: int) -> None:
    row = delivery_queries.get_delivery(delivery_id)
    key = f"mail:key_ready:{row.line_id}:{row.handle[:60]}"
    enqueue("mail_delivery", key, line_id=row.line_id, template="key_ready")


@job("sync_key", purpose="delivery", attempts=6)
def sync_key(context: Context, delivery_id: int) -> None:
    """Look at one key now: after it was made, or because its customer asked."""
    row = delivery_queries.get_delivery(delivery_id)
    if row.handle:
        _note(delivery_id, provisioner(row.target).read(row.handle))


def lets_in(target: str, secret: str) -> bool:
    """Whether a relay lets a key in, found by a call that costs nothing. Raises ``ProvisionerError``."""
    relay = provisioner(target)
    works: Callable[[str], bool] | None = getattr(relay, "works", None)
    with egress.about(purpose="delivery"):
        return works is not None and works(secret)


def serves(target: str) -> frozenset[str]:
    """Which forms of calls the keys of a relay can make; see ``Provisioner.serves``."""
    try:
        return provisioner(target).serves
    except (NoTarget, Refused):
        return frozenset({"chat"})


def ask_for_sync(delivery_id: int, now: dt.datetime | None = None) -> bool:
    """Have a key looked at on its customer's wish, or because its relay says so; see ``LOOK_AGAIN``."""
    moment = now or timezone.now()
    last = delivery_queries.find_snapshot(delivery_id)
    if last is not None and moment - last.as_of < LOOK_AGAIN:
        return False
    slot = int(moment.timestamp() // LOOK_AGAIN.total_seconds())
    enqueue("sync_key", f"sync:asked:{delivery_id}:{slot}", delivery_id=delivery_id)
    return True


def ask_for_replacement(delivery_id: int) -> bool:
    """Have a key stopped and another made for what is left of it; False if it cannot be, or is already."""
    row = delivery_queries.get_delivery(delivery_id)
    if row.state != "delivered" or is_replaced(row):
        return False
    enqueue("replace_key", _replacing(row), delivery_id=delivery_id, handle=row.handle)
    return True


def is_replaced(row: delivery_queries.DeliveryRow) -> bool:
    """Whether another key is being made in the place of this one."""
    return not row.handle or jobs.find_job(_replacing(row)) is not None


def _replacing(row: delivery_queries.DeliveryRow) -> str:
    return f"replace:{row.id}:{row.handle[:60]}"


@job("replace_key", purpose="delivery", attempts=20)
def replace_key(context: Context, delivery_id: int, handle: str) -> None:
    """Stop a key, see what it has used, have another made for the rest, and take the old one away."""
    row = delivery_queries.get_delivery(delivery_id)
    used = context.call("stop", _stop, row.target, handle)
    context.step("replace", delivery.replace, delivery_id, handle, used)
    context.call("withdraw", _withdraw, row.target, handle)


def _stop(target: str, handle: str) -> int:
    """Micro-units used by a key that is stopped now; all there is to know at this moment."""
    try:
        return provisioner(target).suspend(handle).used or 0
    except Missing:
        return 0


def _withdraw(target: str, handle: str) -> None:
    provisioner(target).withdraw(handle)


def _targets() -> list[str]:
    try:
        return list(catalog.current_shop().targets)
    except catalog.NoShop:
        return []


@schedule("probe_relays", every_s=300)
def probe_relays(context: Context) -> None:
    """Ask each relay what it can do; one that does not answer sells nothing new, and goes on running."""
    for name in _targets():
        _probe(name)


def counts_otherwise(name: str, unit: str) -> bool:
    """Whether a relay counts in another money than is sold of it: ten of one are not ten of the other."""
    sold = catalog.current_shop().units
    names = {grant.unit for plan in catalog.list_plans() if plan.target == name for grant in plan.grants}
    moneys = {sold[one].currency for one in names if one in sold} - {None, ""}
    return bool(moneys) and moneys != {unit}


def _probe(name: str) -> None:
    try:
        facts = provisioner(name).probe()
        reason = "unit" if counts_otherwise(name, facts.unit) else ""
    except ProvisionerError as error:
        facts, reason = None, getattr(error, "code", "no_answer")
    if not delivery.keep_probe(name, facts, reason):
        log.warning("nothing new is sold from %s: %s", name, reason or "wallet")


@job("look_at_relay", purpose="delivery", attempts=3)
def look_at_relay(context: Context, target: str) -> None:
    """Probe a relay and compare all its keys, because an operator asked."""
    _probe(target)
    sweep(target)


@schedule("sweep_relays", every_s=600)
def sweep_relays(context: Context) -> None:
    """Compare all keys of ours at each relay with our rows: snapshots, orphans, losses, differences."""
    for name in _targets():
        try:
            sweep(name)
        except ProvisionerError as error:
            log.warning("%s could not be swept: %s", name, type(error).__name__)


def sweep(target: str, now: dt.datetime | None = None) -> dict[str, int]:
    """One pass over a relay; what was found: ``seen``, ``orphans``, ``missing``, ``different``.

    Only labels that begin with this installation's mark are looked at, so two shops at
    one relay never touch each other's keys.
    """
    relay, moment = provisioner(target), now or timezone.now()
    figures = {"seen": 0, "orphans": 0, "missing": 0, "different": 0}
    found: set[str] = set()
    orphans: list[str] = []
    every = relay.list(delivery_queries.mark())
    while batch := list(islice(every, BATCH)):
        figures["seen"] += len(batch)
        known = delivery_queries.leaders(target, [seen.label for seen in batch])
        ours = {}
        for seen in batch:
            row = known.get(seen.label)
            if row is not None and row.handle == seen.handle:
                found.add(seen.label)
                ours[row.delivery_id] = seen
            elif _is_orphan(row, seen, moment):
                orphans.append(seen.handle)
        figures["different"] += compare(relay, ours)
    for handle in orphans:  # not before the list is read: pages move up when a key goes
        relay.withdraw(handle)
        figures["orphans"] += 1
    gone = [row for row in delivery_queries.live_leaders(target) if row.label not in found]
    desires = delivery_queries.desired_many(
        [row.delivery_id for row in gone if moment - row.created_at > ORPHAN_AFTER]
    )
    for desire in desires.values():
        if desire.exists:
            figures["missing"] += 1
            key = f"align:missing:{desire.delivery_id}:{moment:%Y%m%d%H}"
            enqueue("align_key", key, delivery_id=desire.delivery_id)
    return figures


def _is_orphan(row: delivery_queries.Led | None, seen: Seen, now: dt.datetime) -> bool:
    """A key with our mark that no delivery leads to, and that nobody can be making any more."""
    if row is not None and not row.handle and row.state == "running":
        return False
    return seen.created_at is None or now - seen.created_at > ORPHAN_AFTER


def compare(relay: Provisioner, ours: Mapping[int, Seen]) -> int:
    """Keep what was found of keys of ours, and have those brought in line that are not; how many."""
    for delivery_id, odd in delivery.keep_snapshots(ours.items()).items():
        _say_odd(delivery_id, odd)
    wrong = [
        desire
        for desire in delivery_queries.desired_many(ours).values()
        if _differs(relay, desire, ours[desire.delivery_id])
    ]
    for desire in wrong:
        key = f"align:swept:{desire.delivery_id}:{timezone.now():%Y%m%d%H%M}"
        enqueue("align_key", key, delivery_id=desire.delivery_id)
    return len(wrong)


def _differs(relay: Provisioner, desire: delivery_queries.Desire, seen: Seen) -> bool:
    """Whether a key is not as wished; of one that is stopped and should be, nothing else counts."""
    if not desire.exists or desire.enabled != seen.enabled:
        return True
    return desire.enabled and bool(relay.differs(seen, desire.wish))


def _note(delivery_id: int, seen: Seen) -> None:
    odd = delivery.keep_snapshot(delivery_id, seen)
    if odd:
        _say_odd(delivery_id, odd)


def _say_odd(delivery_id: int, odd: str) -> None:
    log.error("the key of delivery %s is odd: %s", delivery_id, odd)


__all__ = ["Mismatch", "NoTarget", "Refused", "ask_for_sync", "compare", "provide", "provisioner", "sweep"]
