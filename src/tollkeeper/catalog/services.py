"""Puts a shop's files into effect."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import msgspec
from django.conf import settings
from django.db import models, transaction
from django.utils import timezone

from tollkeeper.catalog import publish, shopfile
from tollkeeper.catalog.facts import ShopFacts
from tollkeeper.catalog.models import GateSnapshot, PlanVersion, ShopSnapshot, Withheld
from tollkeeper.core import terms


@dataclass(frozen=True, slots=True)
class Shop:
    """What :func:`load_shop` put into effect; ``changed`` is False if all was so already."""

    facts: ShopFacts
    gate_version: int
    changed: bool


def load_shop(folder: Path) -> Shop:
    """Check the shop's files and offer what they say.

    Plans whose content changed get a new version, the gates' snapshot is published anew
    if anything in it changed; a second call with the same files writes nothing. Raises
    ``mistakes.BadShop`` with every mistake, having written nothing.
    """
    file = shopfile.read_shop(folder)
    env = settings.ENV
    where = shopfile.addresses(file, env.port, live=env.live)
    gate = publish.gate_terms(file, where, docs_url=f"{env.public_url}/docs/errors/")
    with transaction.atomic():
        before = PlanVersion.objects.count()
        plans = tuple(
            (slug, _plan_version(publish.plan_terms(slug, plan))) for slug, plan in file.plans.items()
        )
        facts = publish.shop_facts(file, plans, publish.target_terms(file, where))
        _, new_shop = _snapshot(ShopSnapshot, facts)
        version, new_gate = _snapshot(GateSnapshot, gate)
        changed = new_shop or new_gate or PlanVersion.objects.count() != before
    return Shop(facts=facts, gate_version=version, changed=changed)


def withhold(slug: str, now: dt.datetime) -> None:
    """Let nobody buy a plan until :func:`offer_again`; what was sold goes on."""
    Withheld.objects.get_or_create(slug=slug, defaults={"since": now})


def offer_again(slug: str) -> None:
    """Let a plan be bought again."""
    Withheld.objects.filter(slug=slug).delete()


def _plan_version(plan: terms.PlanTerms) -> int:
    """The version of this very content, made if it was never offered before."""
    content = publish.fingerprint(plan)
    known = PlanVersion.objects.filter(slug=plan.slug, content_hash=content).first()
    if known is not None:
        return known.version
    newest = PlanVersion.objects.filter(slug=plan.slug).aggregate(top=models.Max("version"))["top"] or 0
    PlanVersion.objects.create(
        slug=plan.slug,
        version=newest + 1,
        content_hash=content,
        terms=terms.encode(msgspec.structs.replace(plan, version=newest + 1)),
        created_at=timezone.now(),
    )
    return newest + 1


def _snapshot(model: type[ShopSnapshot] | type[GateSnapshot], body: msgspec.Struct) -> tuple[int, bool]:
    """Version of ``body`` in the model's history, and whether it is new."""
    content = publish.fingerprint(body)
    newest = model.objects.order_by("-version").first()
    if newest is not None and newest.content_hash == content:
        return newest.version, False
    version = newest.version + 1 if newest else 1
    if isinstance(body, terms.GateTerms):
        body = msgspec.structs.replace(body, version=version)
    model.objects.create(
        version=version, content_hash=content, body=terms.encode(body), created_at=timezone.now()
    )
    return version, True
