"""What is looked at again and again: keys there and here, snapshots, wallets, what a relay did not keep."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from samples.relays.faults import Fault
from samples.relays.litellm import LiteLLM
from samples.relays.newapi import NewAPI
from samples.relays.openrouter import OpenRouter
from tests.services.lines import customer
from tests.services.relay_shop import KINDS, USD, Shop, revealed, sell, work
from tollkeeper.accounts.models import Customer
from tollkeeper.catalog import services as catalog
from tollkeeper.config import environment
from tollkeeper.delivery import queries
from tollkeeper.delivery.models import Snapshot
from tollkeeper.delivery.provisioners import Wish
from tollkeeper.flows import relaying
from tollkeeper.kit import job_runner
from tollkeeper.kit.models import Job

pytestmark = pytest.mark.django_db


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
    if isinstance(shop.relay, LiteLLM):
        return  # it has no wallet
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


def test_what_is_being_made_counts_as_promised(shop: Shop) -> None:
    relaying.probe_relays(None)  # type: ignore[arg-type]
    shop.relay.faults.plan(Fault("*", "html", times=1))
    sell(customer(), 7)
    context = job_runner.claim(KINDS)
    assert context is not None
    job_runner.run(context)
    assert queries.find_target("there").promised == 7 * USD, "at once, not at the next probe"
    relaying.probe_relays(None)  # type: ignore[arg-type]
    assert queries.find_target("there").promised == 7 * USD, "and counted once"


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
    assert found.error.partition(":")[0] in ("no_answer", "mismatch", "dead_key", "bad_request"), found.error
    assert queries.find_unrevealed(buyer) is None
    assert [row.id for row in queries.failed_deliveries()] == [found.id]
    assert Job.objects.get(kind="fulfil_line").state == "dead"
    shop.relay.faults.clear()
    assert not [key for key in shop.relay.keys.values() if shop.chat(key.secret)], "it works there"


def test_a_relay_that_counts_in_another_money_sells_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "counts_otherwise", lambda name, unit: (name, unit) == ("there", "USD"))
    relaying.probe_relays(None)  # type: ignore[arg-type]
    found = queries.find_target("there")
    assert found is not None
    assert (found.open, found.reason) == (False, "unit")


def test_moneys_are_compared_with_what_the_shop_sells() -> None:
    catalog.load_shop(environment.repository() / "shops" / "gettoken")
    assert not relaying.counts_otherwise("relay", "USD")
    assert relaying.counts_otherwise("relay", "CNY")
    assert not relaying.counts_otherwise("another", "CNY"), "nothing is sold of it"


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
