"""Keys at relays: made once whatever breaks, kept in line, watched and swept."""

from __future__ import annotations

import datetime as dt
import random

import msgspec
import pytest
import time_machine
from django.conf import settings
from django.utils import timezone

from samples.relays.faults import DEEDS, Fault
from samples.relays.litellm import LiteLLM
from tests.services.lines import customer
from tests.services.relay_shop import USD, Shop, cap_there, revealed, sell, work
from tollkeeper.accounts.models import Customer
from tollkeeper.core.keys import digest
from tollkeeper.core.terms import KeyTerms, LimitTerms
from tollkeeper.delivery import queries, services
from tollkeeper.delivery.models import Delivery
from tollkeeper.flows import fulfilment, relaying
from tollkeeper.kit import services as job_verbs
from tollkeeper.kit.models import Job, Step

pytestmark = pytest.mark.django_db
PER_MINUTE, TOKENS = LimitTerms("minute", "requests", 60, 60), LimitTerms("tokens", "tokens", 40_000, 60)


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
    [dead] = Job.objects.filter(kind="fulfil_line", state="dead")
    shop.relay.faults.clear()
    assert job_verbs.retry_job(dead.pk)
    work()
    assert queries.find_delivery(line).state == "delivered", "put back by an operator, it is handed over"
    assert shop.chat(revealed(buyer))


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


def test_a_raised_key_keeps_what_was_sold_and_gets_the_best_of_both(shop: Shop) -> None:
    if not isinstance(shop.relay, LiteLLM):
        return  # the others keep fewer restrictions; see the contract
    buyer = customer()
    one = KeyTerms("plus", unit="credits", limits=(PER_MINUTE, TOKENS), concurrency=8, models=("tern-1",))
    sell(buyer, 5, terms=one)
    work()
    [key] = shop.relay.keys.values()
    kept = {"rpm_limit": 60, "tpm_limit": 40_000, "max_parallel_requests": 8}
    assert {name: key.extra[name] for name in kept} == kept
    sell(buyer, 5, terms=one)
    work()
    assert {name: key.extra[name] for name in kept} == kept, "a renewal lifted what was sold"
    sell(buyer, 5, terms=msgspec.structs.replace(one, concurrency=20, models=("tern-1", "heron-1")))
    work()
    assert (key.extra["max_parallel_requests"], set(key.models)) == (20, {"tern-1", "heron-1"})
    key.models, key.extra["tpm_limit"] = (), None  # somebody changed it there
    assert relaying.sweep("there")["different"] == 1
    work()
    assert (set(key.models), key.extra["tpm_limit"]) == ({"tern-1", "heron-1"}, 40_000)


def test_a_key_that_is_made_while_its_customer_is_stopped_is_born_stopped(shop: Shop) -> None:
    buyer = customer()
    services.suspend_keys(buyer, "dispute")
    sell(buyer)
    work()
    secret = revealed(buyer)
    assert not shop.chat(secret)
    services.resume_keys(buyer, "dispute")
    work()
    assert shop.chat(secret)


def test_a_customer_pauses_a_key_and_it_stays_so_when_it_is_raised_or_replaced(shop: Shop) -> None:
    buyer = customer()
    sell(buyer)
    work()
    one = queries.deliveries(buyer)[0]
    secret = revealed(buyer)
    services.pause(one.id, paused=True)
    services.pause(one.id, paused=True)
    work()
    assert not shop.chat(secret)
    sell(buyer, 3)
    work()
    assert not shop.chat(secret)
    assert all(row.paused for row in queries.deliveries(buyer))
    relaying.ask_for_replacement(queries.deliveries(buyer)[0].id)
    work()
    fresh = revealed(buyer)
    assert not shop.chat(fresh)
    services.pause(one.id, paused=False)
    work()
    assert shop.chat(fresh)


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
    relaying.sweep("there")
    work()
    assert not shop.chat(old)
    assert queries.odd_snapshots() == [], "the new key begins its own count"
    seen = queries.find_snapshot(queries.find_unrevealed(buyer).id)
    assert (seen.used, seen.odd) == (0, "")
    fresh = revealed(buyer)
    assert fresh != old
    assert shop.chat(fresh)
    assert abs(cap_there(shop) - (9 * USD - used)) <= 6, "what was used is not given twice"
    assert len(shop.labels) == 1
    relaying.probe_relays(None)  # type: ignore[arg-type]
    assert abs(queries.find_target("there").promised - (9 * USD - used)) <= 6
    figures = relaying.sweep("there", now=timezone.now() + dt.timedelta(hours=3))
    assert (figures["orphans"], figures["missing"], figures["different"]) == (0, 0, 0)
    assert {row.label for row in Delivery.objects.all()} == set(shop.labels), "both lines moved to it"


def test_what_is_left_of_a_key_survives_a_refund_of_its_newest_line(shop: Shop) -> None:
    buyer = customer()
    sell(buyer, 5)
    later = sell(buyer, 4)
    work()
    old = revealed(buyer)
    fulfilment.withdraw_line(later, claim="re-1")
    work()
    one = queries.find_by_secret(digest(old.encode(), settings.KEY_PEPPER))
    assert one is not None
    assert one.hint.endswith(old[-4:])
    assert len(one.hint) == 8
    assert relaying.ask_for_replacement(one.id)
    work()
    fresh = revealed(buyer)
    assert not shop.chat(old)
    assert shop.chat(fresh)
    assert abs(cap_there(shop) - 5 * USD) <= 4
    assert queries.find_by_secret(digest(old.encode(), settings.KEY_PEPPER)) is None
    shop.relay.keys.clear()
    relaying.sweep("there", now=timezone.now() + dt.timedelta(hours=3))
    work()
    assert shop.chat(revealed(buyer)), "and it is made anew when its relay has lost it"
    assert abs(cap_there(shop) - 5 * USD) <= 4


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
