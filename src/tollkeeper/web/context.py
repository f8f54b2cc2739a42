"""What every template may use without asking: the shop, the menus, who is signed in."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language

from tollkeeper.accounts import queries as accounts
from tollkeeper.catalog import queries as catalog
from tollkeeper.core.terms import PlanTerms, PriceTerms
from tollkeeper.sales import queries as sales
from tollkeeper.web import nav

CHOSEN = "chosen_plan"
"""Session entry of somebody who chose a plan before they had an account: ``[plan, price]``."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who is signed in, for the corner of the console."""

    name: str
    initials: str
    plan: str = ""
    until: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """A plan that waits for its buyer to sign up; empty if none does."""

    plan: PlanTerms | None = None
    price: PriceTerms | None = None


def _account(request: HttpRequest) -> Account:
    if not request.user.is_authenticated:
        return Account("", "")
    name = accounts.shown_to_self(request.user)
    customer = accounts.customer_for(request.user)
    plan = sales.current_plan(customer.pk) if customer else None
    return Account(name, name[:2].upper(), plan.title if plan else "", plan.ends_at if plan else None)


def _chosen(request: HttpRequest) -> Chosen:
    waiting = request.session.get(CHOSEN)
    if not waiting:
        return Chosen()
    try:
        plan = catalog.get_plan(waiting[0], get_language())
        return Chosen(plan, plan.price(waiting[1]))
    except (catalog.NotOffered, KeyError):
        return Chosen()


def face(request: HttpRequest) -> dict[str, Any]:
    """Context processor; each part is computed when a template asks for it."""
    return {
        "shop": SimpleLazyObject(lambda: catalog.current_shop(get_language())),
        "account": SimpleLazyObject(lambda: _account(request)),
        "chosen": SimpleLazyObject(lambda: _chosen(request)),
        "site_nav": SimpleLazyObject(lambda: nav.site(request)),
        "legal_nav": SimpleLazyObject(lambda: nav.legal(request)),
        "foot_nav": SimpleLazyObject(lambda: nav.foot(request)),
        "console_nav": SimpleLazyObject(lambda: nav.console(request)),
        "desk_nav": SimpleLazyObject(lambda: nav.desk(request)),
        "gate_url": settings.ENV.gate_url,
        "live": settings.ENV.live,
    }
