"""Keys at relays: made once whatever breaks, kept in line, watched and swept."""

from __future__ import annotations

import datetime as dt
import random

import pytest
import time_machine
from django.utils import timezone

from samples.relays.faults import DEEDS, Fault
from tests.services.lines import customer
from tests.services.relay_shop import USD, Shop, cap_there, revealed, sell, work
from tollkeeper.accounts.models import Customer
from tollkeeper.delivery import queries, services
from tollkeeper.delivery.models import Delivery
from tollkeeper.flows import fulfilment, relaying
from tollkeeper.kit.models import Job, Step

pytestmark = pytest.mark.django_db


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
