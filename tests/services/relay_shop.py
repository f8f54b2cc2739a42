"""A shop with one relay in this process: what is sold there, and its jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from samples.relays.litellm import LiteLLM
from samples.relays.newapi import NewAPI
from samples.relays.openrouter import OpenRouter
from samples.relays.own import OwnSystem
from samples.relays.relay import Relay
from tests.samples.asgi import call
from tollkeeper.accounts.models import Customer
from tollkeeper.core.terms import GrantTerms, KeyTerms, LimitTerms, LineTerms, TargetTerms, encode
from tollkeeper.delivery import queries, services
from tollkeeper.delivery.provisioners import litellm, newapi, openrouter, webhook
from tollkeeper.flows import fulfilment
from tollkeeper.kit import job_runner
from tollkeeper.kit.models import Job
from tollkeeper.sales.models import Order, OrderLine

USD = 1_000_000
KINDS = ["fulfil_line", "mail_delivery", "align_key", "remake_key", "replace_key", "sync_key"]
BUILD: dict[str, Any] = {
    "litellm": (lambda: LiteLLM("adm"), litellm.build, {}),
    "newapi": (lambda: NewAPI("adm"), newapi.build, {"user": "7"}),
    "oneapi": (lambda: NewAPI("adm", one=True), newapi.build, {"dialect": "oneapi"}),
    "openrouter": (lambda: OpenRouter("adm"), openrouter.build, {}),
    "webhook": (lambda: OwnSystem("adm"), webhook.build, {}),
}
TERMS = KeyTerms(
    "plus", unit="credits", limits=(LimitTerms("minute", "requests", 60, 60),), models=("tern-1",)
)


@dataclass
class Shop:
    """A relay in this process, sold from by the target ``there``."""

    relay: Relay
    target: TargetTerms

    def chat(self, secret: str) -> bool:
        body = {"model": "tern-1", "messages": [{"role": "user", "content": "terns " * 200}]}
        headers = {"authorization": f"Bearer {secret}"}
        return (
            call(self.relay.app, "POST", self.relay.chat_paths[0], headers=headers, body=body).status == 200
        )

    @property
    def labels(self) -> list[str]:
        return [key.name for key in self.relay.keys.values()]


def sell(
    buyer: int, units: int = 5, *, per: str = "once", days: int | None = 30, terms: KeyTerms = TERMS
) -> int:
    """A paid line of ``units`` dollars of credit at the relay, and its job."""
    grant = GrantTerms("credits", units * USD, per=per, lasts_days=days)
    sold = LineTerms("plus", "relay", terms, grants=(grant,), target="there")
    order = Order.objects.create(
        customer=Customer.objects.get(pk=buyer),
        offer=f"plus/{OrderLine.objects.count()}",
        lifecycle="open",
        money="paid",
        currency="USD",
        total_minor=500,
        paid_at=timezone.now(),
    )
    line = OrderLine.objects.create(
        order=order,
        title="Plus",
        plan="plus",
        plan_version=1,
        price="main",
        amount_minor=500,
        terms=encode(sold),
    )
    fulfilment.enqueue("fulfil_line", f"fulfil:{line.pk}", line_id=line.pk)
    return line.pk


def work(limit: int = 60) -> list[str]:
    """Do all jobs, again at once if they failed."""
    ends = []
    while (context := job_runner.claim(KINDS)) is not None:
        ends.append(job_runner.run(context))
        Job.objects.filter(state="ready").update(run_at=timezone.now())
        assert len(ends) < limit, "jobs go round in circles"
    return ends


def revealed(buyer: int) -> str:
    waiting = queries.find_unrevealed(buyer)
    assert waiting is not None
    return services.reveal(waiting.id, buyer).text


def cap_there(shop: Shop) -> int:
    [key] = shop.relay.keys.values()
    assert key.cap is not None
    return key.cap
