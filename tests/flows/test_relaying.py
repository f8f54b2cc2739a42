"""Keys at relays: made once whatever breaks, kept in line, watched and swept."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from samples.relays.faults import DEEDS, Fault
from samples.relays.litellm import LiteLLM
from samples.relays.newapi import NewAPI
from samples.relays.openrouter import OpenRouter
from samples.relays.relay import Relay
from tests.contracts.test_provisioners import Line
from tests.samples.asgi import call
from tests.services.lines import customer
from tollkeeper.accounts.models import Customer
from tollkeeper.catalog import services as catalog
from tollkeeper.config import environment
from tollkeeper.core.terms import GrantTerms, KeyTerms, LimitTerms, LineTerms, TargetTerms, encode
from tollkeeper.delivery import queries, registry, services
from tollkeeper.delivery.models import Delivery, Snapshot
from tollkeeper.delivery.provisioners import Door, Wish, litellm, newapi, openrouter
from tollkeeper.flows import fulfilment, relaying
from tollkeeper.kit import job_runner
from tollkeeper.kit.models import Job, Step
from tollkeeper.sales.models import Order, OrderLine

pytestmark = pytest.mark.django_db
USD = 1_000_000
KINDS = ["fulfil_line", "mail_delivery", "align_key", "remake_key", "replace_key", "sync_key"]
BUILD: dict[str, Any] = {
    "litellm": (lambda: LiteLLM("adm"), litellm.build, {}),
    "newapi": (lambda: NewAPI("adm"), newapi.build, {"user": "7"}),
    "oneapi": (lambda: NewAPI("adm", one=True), newapi.build, {"dialect": "oneapi"}),
    "openrouter": (lambda: OpenRouter("adm"), openrouter.build, {}),
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


@pytest.fixture(params=sorted(BUILD))
def shop(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any
) -> Iterator[Shop]:
    settings.MAIL_FOLDER = tmp_path
    settings.EMAIL_BACKEND = "tollkeeper.kit.mail.FileBackend"
    make, build, options = BUILD[request.param]
    relay = make()
    relay.spend_delay_s = 0
    target = TargetTerms("there", "x", "http://relay.test", "X", resale_allowed=True, options=options)

    monkeypatch.setattr(relaying, "_targets", lambda: ["there"])
    with registry.stand_in("there", build(Door(timezone.now, target, "adm", Line(relay.app)))):
        yield Shop(relay, target)


def sell(buyer: int, units: int = 5, *, per: str = "once", days: int | None = 30) -> int:
    """A paid line of ``units`` dollars of credit at the relay, and its job."""
    grant = GrantTerms("credits", units * USD, per=per, lasts_days=days)
    terms = LineTerms("plus", "relay", TERMS, grants=(grant,), target="there")
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
        terms=encode(terms),
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


def test_a_paid_line_becomes_a_working_key_there(shop: Shop) -> None:
    buyer = customer()
    line = sell(buyer)
    assert set(work()) == {"done"}
    secret = revealed(buyer)
    assert shop.chat(secret)
    [label] = shop.labels
    assert label == queries.mark() + f"{line}-1"
    assert len(label) <= 30
    assert abs(cap_there(shop) - 5 * USD) <= 2
    assert queries.find_delivery(line).state == "delivered"
    stored = f"{list(Step.objects.values())}{list(Job.objects.values())}{list(Delivery.objects.values())}"
    assert secret.removeprefix("sk-") not in stored, "a secret stands in clear somewhere"
    assert str(Customer.objects.get(pk=buyer).public_id) not in label


@pytest.mark.parametrize("seed", range(12))
def test_random_breaks_lose_double_and_orphan_nothing(shop: Shop, seed: int) -> None:
    chance = random.Random(seed)
    lines = []
    deeds = sorted(set(DEEDS) - {"delay", "drop_restrictions", "short_cap"})
    for _ in range(3):
        buyer = customer()
        lines.append((buyer, sell(buyer)))
        for _ in range(chance.randrange(4)):
            op = chance.choice(["create", "read", "search", "list", "secret", "update", "suspend", "delete"])
            shop.relay.faults.plan(Fault(op, chance.choice(deeds), skip=chance.randrange(3)))
        work()
    shop.relay.faults.clear()
    work()
    later = timezone.now() + dt.timedelta(hours=2)
    relaying.sweep("there", now=later)
    work()
    assert len(shop.labels) == len(lines), "keys were lost, doubled or orphaned"
    for buyer, line in lines:
        assert queries.find_delivery(line).state == "delivered"
        assert shop.chat(revealed(buyer))


def test_what_is_never_kept_is_not_delivered_and_calls_an_operator(shop: Shop) -> None:
    shop.relay.faults.plan(Fault("create", "short_cap", times=99), Fault("update", "short_cap", times=99))
    buyer = customer()
    line = sell(buyer)
    assert work()[-1] == "dead"
    assert queries.find_delivery(line).state == "failed"
    assert queries.find_unrevealed(buyer) is None
    assert all(key.blocked for key in shop.relay.keys.values())


def test_a_renewal_raises_the_same_key(shop: Shop) -> None:
    buyer = customer()
    sell(buyer, 5, per="period")
    work()
    secret = revealed(buyer)
    for _ in range(3):
        assert shop.chat(secret)
    used = next(iter(shop.relay.keys.values())).used
    sell(buyer, 7, per="period")
    work()
    assert len(shop.labels) == 1
    assert abs(cap_there(shop) - (used + 7 * USD)) <= 4, "units of the former period are over"
    sell(buyer, 3)
    work()
    assert abs(cap_there(shop) - (used + 10 * USD)) <= 4, "a pack comes on top"
    assert queries.find_unrevealed(buyer) is None
    assert shop.chat(secret)


def test_a_dispute_stops_the_key_there_and_a_win_lets_it_go_on(shop: Shop) -> None:
    buyer = customer()
    sell(buyer)
    work()
    secret = revealed(buyer)
    services.suspend_keys(buyer, "dispute")
    work()
    assert not shop.chat(secret)
    services.resume_keys(buyer, "dispute")
    work()
    assert shop.chat(secret)


def test_a_change_of_mind_while_it_is_being_done_ends_at_the_last_wish(shop: Shop) -> None:
    buyer = customer()
    sell(buyer)
    work()
    secret = revealed(buyer)
    services.suspend_keys(buyer, "dispute")
    services.resume_keys(buyer, "dispute")
    services.suspend_keys(buyer, "operator")
    jobs = list(Job.objects.filter(kind="align_key", state="ready").values_list("pk", flat=True))
    random.Random(3).shuffle(jobs)
    for number, pk in enumerate(jobs):
        Job.objects.filter(pk=pk).update(run_at=timezone.now() - dt.timedelta(seconds=number))
    work()
    assert not shop.chat(secret)
    [row] = Delivery.objects.all()
    assert row.aligned == row.wanted


def test_a_refund_takes_a_share_or_the_key(shop: Shop) -> None:
    buyer = customer()
    one, two = sell(buyer, 5), sell(buyer, 4)
    work()
    secret = revealed(buyer)
    fulfilment.withdraw_line(two, claim="re-1", amount_share=(1, 2))
    work()
    assert abs(cap_there(shop) - 7 * USD) <= 4
    fulfilment.withdraw_line(one, claim="re-2")
    work()
    assert abs(cap_there(shop) - 2 * USD) <= 4
    assert shop.chat(secret)
    fulfilment.withdraw_line(two, claim="re-3")
    work()
    assert not shop.chat(secret)
    assert shop.labels == []


def test_a_leaked_key_is_replaced_by_one_for_what_is_left(shop: Shop) -> None:
    buyer = customer()
    sell(buyer, 5)
    sell(buyer, 4)
    work()
    old = revealed(buyer)
    for _ in range(40):
        assert shop.chat(old)
    [key] = shop.relay.keys.values()
    used = key.used
    assert used
    leader = Delivery.objects.order_by("-pk")[0]
    assert relaying.ask_for_replacement(leader.pk)
    assert not relaying.ask_for_replacement(leader.pk), "asked for once"
    work()
    assert not shop.chat(old)
    fresh = revealed(buyer)
    assert fresh != old
    assert shop.chat(fresh)
    assert abs(cap_there(shop) - (9 * USD - used)) <= 6, "what was used is not given twice"
    assert len(shop.labels) == 1
    figures = relaying.sweep("there", now=timezone.now() + dt.timedelta(hours=3))
    assert (figures["orphans"], figures["missing"], figures["different"]) == (0, 0, 0)
    assert {row.label for row in Delivery.objects.all()} == set(shop.labels), "both lines moved to it"


def test_a_lost_key_of_two_lines_is_made_once(shop: Shop) -> None:
    buyer = customer()
    sell(buyer, 5)
    sell(buyer, 4)
    work()
    secret = revealed(buyer)
    for _ in range(40):
        assert shop.chat(secret)
    later = timezone.now() + dt.timedelta(hours=3)
    relaying.sweep("there", now=later)
    [key] = shop.relay.keys.values()
    used = key.used
    shop.relay.keys.clear()
    relaying.sweep("there", now=later)
    work()
    assert len(shop.labels) == 1
    assert abs(cap_there(shop) - (9 * USD - used)) <= 6
    assert relaying.sweep("there", now=later)["missing"] == 0
    assert shop.chat(revealed(buyer))


def test_a_key_that_is_over_is_withdrawn(shop: Shop) -> None:
    buyer = customer()
    sell(buyer, days=10)
    work()
    with time_machine.travel(timezone.now() + dt.timedelta(days=14)):
        assert services.end_deliveries() == 1
        work()
    assert shop.labels == []


def test_the_sweeper_finds_orphans_losses_and_differences(shop: Shop) -> None:
    lost, changed = customer(), customer()
    for buyer in (lost, changed):
        sell(buyer)
        work()
        revealed(buyer)
    keys = {key.name: key for key in shop.relay.keys.values()}
    first, second = sorted(keys)
    del shop.relay.keys[keys[first].id]
    keys[second].cap = 99 * USD
    ours = relaying.provisioner("there")
    for label in (queries.mark() + "999-1", "tkffffffff-1-1"):
        shop.relay.add(
            type(keys[second])(
                0, f"sk-{label}-secret", label, 1, shop.relay.now(), extra={"allow_ips": "", "group": ""}
            )
        )
    later = timezone.now() + dt.timedelta(hours=2)
    assert relaying.sweep("there", now=later) == {"seen": 2, "orphans": 1, "missing": 1, "different": 1}
    work()
    assert "tkffffffff-1-1" in shop.labels, "another shop's key was touched"
    assert queries.mark() + "999-1" not in shop.labels
    assert shop.chat(revealed(lost)), "the lost key was made anew"
    assert abs((ours.find(second)[0].cap or 0) - 5 * USD) <= 2
    assert relaying.sweep("there", now=later)["orphans"] == 0


def test_a_key_that_is_just_being_made_is_no_orphan(shop: Shop) -> None:
    relaying.provisioner("there").provide(Wish(queries.mark() + "12345-1", "sk-" + "x" * 32, "credits"))
    assert relaying.sweep("there")["orphans"] == 0
    assert len(shop.labels) == 1


def test_snapshots_say_what_was_found_and_when(shop: Shop) -> None:
    buyer = customer()
    line = sell(buyer)
    work()
    secret = revealed(buyer)
    delivery = queries.find_delivery(line)
    first = queries.find_snapshot(delivery.id)
    assert (first.used, first.enabled, first.odd) == (0, True, "")
    assert all(shop.chat(secret) for _ in range(5))
    assert not relaying.ask_for_sync(delivery.id), "not again at once"
    assert relaying.ask_for_sync(delivery.id, timezone.now() + dt.timedelta(minutes=2))
    work()
    second = queries.find_snapshot(delivery.id)
    assert second.used > 0
    assert second.remaining == second.cap - second.used
    shop.relay.keys[1].spent = 0
    relaying.sweep("there")
    assert queries.odd_snapshots()[0].odd == "fell"


def test_snapshots_that_say_nothing_new_are_not_piled_up(shop: Shop) -> None:
    sell(customer())
    work()
    for _ in range(5):
        relaying.sweep("there")
    assert Snapshot.objects.count() == 1


def test_a_relay_that_does_not_answer_sells_nothing_new(shop: Shop) -> None:
    relaying.probe_relays(None)  # type: ignore[arg-type]
    assert queries.find_target("there").open
    line = relaying.provisioner("there").door.http  # type: ignore[attr-defined]
    line.cut = 99
    relaying.probe_relays(None)  # type: ignore[arg-type]
    found = queries.find_target("there")
    assert (found.open, found.reason) == (False, "no_answer")


def test_a_wallet_that_cannot_hold_what_was_promised_stops_sales(shop: Shop) -> None:
    if not isinstance(shop.relay, NewAPI):
        return
    sell(customer(), 900)
    sell(customer(), 99)
    work()
    relaying.probe_relays(None)  # type: ignore[arg-type]
    assert queries.find_target("there").open
    sell(customer(), 2)
    work()
    relaying.probe_relays(None)  # type: ignore[arg-type]
    found = queries.find_target("there")
    assert (found.open, found.reason, found.promised) == (False, "wallet", 1001 * USD)


def test_an_erased_customer_is_delivered_nothing(shop: Shop) -> None:
    buyer = customer()
    sell(buyer)
    Customer.objects.filter(pk=buyer).update(owner=None)
    assert work()[-1] == "dead"
    assert shop.labels == []


@pytest.mark.parametrize("do", ["html", "error_200", "bad_secret", "drop_restrictions", "short_cap"])
def test_what_is_wrong_for_good_is_never_shown_and_lies_with_the_operator(
    shop: Shop, do: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if isinstance(shop.relay, OpenRouter) and do == "drop_restrictions":
        do = "short_cap"  # it has no other restriction than the cap
    buyer = customer()
    op = "secret" if do == "bad_secret" and shop.relay.chat_paths and isinstance(shop.relay, NewAPI) else "*"
    if isinstance(shop.relay, NewAPI) and shop.relay.one:
        op = "*"
    shop.relay.faults.plan(Fault(op, do, times=10**6))
    line = sell(buyer)
    for _ in range(80):
        context = job_runner.claim(KINDS)
        if context is None:
            break
        job_runner.run(context)
        Job.objects.filter(state="ready").update(run_at=timezone.now())
    found = queries.find_delivery(line)
    assert found is not None
    assert found.state == "failed"
    assert not found.revealable
    assert queries.find_unrevealed(buyer) is None
    assert [row.id for row in queries.failed_deliveries()] == [found.id]
    assert Job.objects.get(kind="fulfil_line").state == "dead"
    shop.relay.faults.clear()
    assert not [key for key in shop.relay.keys.values() if shop.chat(key.secret)], "it works there"


def test_a_relay_that_counts_in_another_money_sells_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "_counts_otherwise", lambda name, unit: (name, unit) == ("there", "USD"))
    relaying.probe_relays(None)  # type: ignore[arg-type]
    found = queries.find_target("there")
    assert found is not None
    assert (found.open, found.reason) == (False, "unit")


def test_moneys_are_compared_with_what_the_shop_sells() -> None:
    catalog.load_shop(environment.repository() / "shops" / "gettoken")
    assert not relaying._counts_otherwise("relay", "USD")
    assert relaying._counts_otherwise("relay", "CNY")
    assert not relaying._counts_otherwise("another", "CNY"), "nothing is sold of it"


def test_a_key_that_is_used_up_is_left_alone_and_works_again_when_raised(shop: Shop) -> None:
    shop.relay.spend_delay_s = 0
    buyer = customer()
    sell(buyer, 1)
    work()
    secret = revealed(buyer)
    [key] = shop.relay.keys.values()
    key.spent = key.cap or 0
    assert not shop.chat(secret)
    relaying.sweep("there")
    assert not Job.objects.filter(kind="align_key", state="ready").exists(), "nothing is to be mended"
    sell(buyer, 4)
    work()
    assert shop.chat(secret)
