"""The switch of one product: nothing more is sold of a plan, and what was delivered of it stops.

A key of ours that draws from other plans too goes on with their terms and their units; at a relay
with their terms, for its units are one sum there. Plans that renew rest meanwhile, so nobody pays for
what is switched off; one that cannot rest (a trial, one that is overdue) ends with its period. What is
left stays, and letting the product go on restores exactly what this stopped.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as account_verbs
from tollkeeper.catalog import queries as catalog
from tollkeeper.core.refusal import Refused
from tollkeeper.delivery import queries as delivery
from tollkeeper.delivery import services as verbs
from tollkeeper.flows import renewal
from tollkeeper.kit import audit
from tollkeeper.kit.fields import to_micros
from tollkeeper.kit.jobs import Context, enqueue, job
from tollkeeper.sales import queries as sales

MOST_WORDS = 200
"""Characters of a reason."""


def stop(plan: str, reason: str, *, actor: uuid.UUID | None) -> int:
    """Stop a plan; answers how many customers have something of it. Gates hear of it at once, relays
    and the customers through the worker. Raises ``Refused``."""
    words = " ".join(reason.split())
    if not words or len(words) > MOST_WORDS:
        raise Refused(_("Say why, in at most %d characters: your customers read it.") % MOST_WORDS)
    if plan not in known():
        raise Refused(_("There is no plan “%s”, and nothing was delivered of one.") % plan)
    now = timezone.now()
    with transaction.atomic():
        if not verbs.stop_plan(plan, words, now):
            raise Refused(_("This plan is stopped already."))
        audit.record("plan.stopped", actor=audit.person(actor) or "system", object=f"catalog.Plan:{plan}")
        since = to_micros(now)
        enqueue("spread_plan_stop", f"plan:stopped:{plan}:{since}", plan=plan, since=since)
    return _at_home(plan)


def resume(plan: str, *, actor: uuid.UUID | None) -> int:
    """Let a plan go on; answers how many customers have something of it. Raises ``Refused``."""
    with transaction.atomic():
        if not verbs.resume_plan(plan):
            raise Refused(_("The plan “%s” is not stopped.") % plan)
        audit.record("plan.resumed", actor=audit.person(actor) or "system", object=f"catalog.Plan:{plan}")
        now = to_micros(timezone.now())
        enqueue("spread_plan_stop", f"plan:resumed:{plan}:{now}", plan=plan, since=0)
    return _at_home(plan)


def known() -> dict[str, str]:
    """Every plan that can be stopped, by its name: those on offer, and those of which something is live."""
    offered = catalog.plan_names()
    return offered | {slug: slug for slug in sorted(delivery.customers_by_plan()) if slug not in offered}


def title(plan: str, language: str | None = None) -> str:
    """A plan as customers know it; its name in the shop's file if it is not offered any more."""
    try:
        return catalog.get_plan(plan, language).name
    except catalog.NotOffered:
        return plan


def _at_home(plan: str) -> int:
    """The keys on our own gate, in this process: a switch does not wait for the worker."""
    after = count = 0
    while some := verbs.follow_stop(plan, after=after, there=False):
        after, count = some[-1], count + len(some)
    return count


@job("spread_plan_stop", purpose="delivery", attempts=20)
def spread_plan_stop(context: Context, plan: str, since: int) -> None:
    """Follow a switch to the end: renewals, keys at relays, what a crash left at home, a letter to each
    customer."""
    stopped = plan in delivery.stops()
    for subscription in sales.plans_of_product(plan):
        renewal.follow_product(subscription, stopped=stopped)
    after = 0
    while some := verbs.follow_stop(plan, after=after, there=True):
        after = some[-1]
        if since:
            with transaction.atomic():
                for customer in some:
                    key = f"mail:plan_stopped:{plan}:{since}:{customer}"
                    enqueue("mail_plan_stopped", key, customer_id=customer, plan=plan, since=since)


@job("mail_plan_stopped", purpose="delivery")
def mail_plan_stopped(context: Context, customer_id: int, plan: str, since: int) -> None:
    """Tell one customer, once, if it is still so."""
    found = delivery.stops().get(plan)
    if found is not None and to_micros(found.since) == since:
        context.call("send", _mail, customer_id, found)


def _mail(customer_id: int, stopped: delivery.PlanStop) -> str:
    language = accounts.language_of(accounts.get_customer(customer_id).owner_id)
    values = {
        "title": title(stopped.plan, language),
        "reason": stopped.reason,
        "link": f"{settings.PUBLIC_URL}/console/keys/",
        "status": f"{settings.PUBLIC_URL}/status/",
    }
    return "sent" if account_verbs.write_to(customer_id, "plan_stopped", values) else "nobody"
