"""What is for sale at this moment: an operator may withhold a plan, a relay may be shut or stopped."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from tollkeeper.catalog import queries as catalog
from tollkeeper.core.terms import PlanTerms
from tollkeeper.delivery import queries as delivery
from tollkeeper.delivery import services as verbs
from tollkeeper.flows import relaying
from tollkeeper.kit.jobs import enqueue
from tollkeeper.sales.queries import OrderView


def unsold() -> dict[str, str]:
    """Plan → why it is not sold now.

    ``plan_stopped`` (with its keys), ``withheld``, ``stopped`` (its relay's keys), ``shut`` (its
    relay) or ``wallet`` (its relay's, which holds what was sold and not this as well).
    """
    switches = _switches()
    return {plan.slug: word for plan in catalog.list_plans() if (word := _why(plan, switches))}


def why_unsold(plan: PlanTerms, quantity: int = 1) -> str:
    """Why so many of one plan are not sold now: a word of :func:`unsold`, or empty."""
    return _why(plan, _switches(), quantity)


def any_stopped(order: OrderView) -> bool:
    """Whether something of an order is of a plan that is stopped with its keys: nobody pays for it now."""
    stops = delivery.stops()
    return any(line.plan in stops for line in order.lines)


class _Switches(NamedTuple):
    stopped: Collection[str]
    withheld: Collection[str]
    targets: dict[str, delivery.TargetRow]


def _switches() -> _Switches:
    targets = {row.name: row for row in delivery.targets()}
    return _Switches(delivery.stops(), catalog.withheld(), targets)


def _why(plan: PlanTerms, switches: _Switches, quantity: int = 1) -> str:
    if plan.slug in switches.stopped:
        return "plan_stopped"
    if plan.slug in switches.withheld:
        return "withheld"
    relay = switches.targets.get(plan.target)
    if relay is None:
        return ""
    if relay.stopped or not relay.open:
        return "stopped" if relay.stopped else "shut"
    units = quantity * sum(grant.amount for grant in plan.grants if grant.unit == plan.key.unit)
    return "wallet" if relay.wallet is not None and relay.wallet < relay.promised + units else ""


def not_kept(plan: PlanTerms) -> tuple[str, ...]:
    """What of a plan its relay does not keep, as far as a probe found: nobody else sees to it there.

    Only an end is seen to by us, by withdrawing the key in time.
    """
    relay = delivery.find_target(plan.target) if plan.target else None
    if relay is None or not relay.keeps:
        return ()
    minute = {limit.unit for limit in plan.key.limits if limit.window_s == 60}
    sold = {
        "models": bool(plan.key.models),
        "ip_ranges": bool(plan.key.ip_ranges),
        "requests_per_minute": "requests" in minute,
        "tokens_per_minute": "tokens" in minute,
        "concurrency": bool(plan.key.concurrency),
    }
    return tuple(name for name, wanted in sold.items() if wanted and name not in relay.keeps)


def stop_relay(name: str) -> int:
    """Stop every key at a relay, and its sale; answers how many keys. Raises ``relaying.NoTarget``."""
    relaying.provisioner(name)
    return verbs.stop_target(name, stopped=True)


def start_relay(name: str) -> int:
    """Let the keys at a relay go on; answers how many."""
    relaying.provisioner(name)
    return verbs.stop_target(name, stopped=False)


def look_at_relay(name: str, mark: str) -> None:
    """Have a relay probed, and all its keys compared with the book. ``mark`` names the wish, once."""
    relaying.provisioner(name)
    enqueue("look_at_relay", f"look:{name}:{mark}", target=name)
