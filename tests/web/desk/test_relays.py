"""Relays on the desk: what they say, what is for sale, and the switches."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import msgspec
import pytest
from django.urls import reverse
from django.utils import timezone

from tests.services.money import price_of
from tests.web.console.test_relays import sold as sold
from tests.web.story import Story, Strict
from tollkeeper.catalog import queries as catalog
from tollkeeper.core.terms import LimitTerms, TargetTerms
from tollkeeper.delivery import queries, registry
from tollkeeper.delivery import services as delivery
from tollkeeper.delivery.models import Delivery, Snapshot, TargetState
from tollkeeper.delivery.provisioners import Facts
from tollkeeper.flows import purchase, selling
from tollkeeper.kit.models import Job
from tollkeeper.sales import services as sales


@pytest.fixture
def relay(story: Story, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A relay in the shop's file, played by nobody."""
    shop = catalog.current_shop()
    shop.targets["relay"] = TargetTerms("relay", "litellm", "https://relay.example", "X", resale_allowed=True)
    with registry.stand_in("relay", object()):  # type: ignore[arg-type]
        yield
    shop.targets.pop("relay")


def page(story: Story) -> str:
    text = story.client(story.staff).get(reverse("desk_relays")).content.decode()
    assert Strict(text).wrong == []
    return text


def press(story: Story, name: str, *arguments: object) -> str:
    answer = story.client(story.staff).post(reverse(name, args=arguments), follow=True)
    return answer.content.decode()


def probe(wallet: int | None = None, reason: str = "") -> None:
    facts = Facts("1.2", "USD", frozenset(), chooses_secret=True, reads_secret=True, wallet=wallet)
    delivery.keep_probe("relay", None if reason else facts, reason)


def test_a_shop_without_relays_says_so(story: Story) -> None:
    assert "No relays" in page(story)


def test_what_a_relay_says_is_shown(story: Story, relay: None, sold: Delivery) -> None:
    assert "not asked yet" in page(story)
    probe(wallet=40_000_000)
    text = page(story)
    for words in ("open", "resale allowed", "25% of it promised", "1.2"):
        assert words in text, words


@pytest.mark.parametrize(
    ("reason", "wallet", "words"),
    [
        ("", 9_999_999, "fill it up"),
        ("credential", None, "correct the environment variable"),
        ("no_answer", None, "does not answer"),
    ],
)
def test_why_nothing_is_sold_and_what_to_do(
    story: Story, relay: None, sold: Delivery, reason: str, wallet: int | None, words: str
) -> None:
    probe(wallet, reason)
    assert words in page(story)


def test_the_switch_of_a_product(story: Story) -> None:
    assert "Nobody can buy it now" in press(story, "desk_plan", "pack-10k", "withhold")
    with pytest.raises(sales.CannotOrder):
        purchase.start_order(story.till.customer(), "pack-10k", price_of("pack-10k"))
    assert "Not for sale at the moment" in story.client().get(reverse("plans")).content.decode()
    assert "for sale again" in press(story, "desk_plan", "pack-10k", "offer")
    assert purchase.start_order(story.till.customer(), "pack-10k", price_of("pack-10k"))
    assert story.client(story.staff).post("/desk/plans/no-such/offer/").status_code == 404


def test_a_product_stops_with_its_keys_and_goes_on(story: Story) -> None:
    staff, mine = story.client(story.staff), story.client(story.owner)
    address = reverse("desk_plan_stop", args=["pro"])
    asked = staff.get(address).content.decode()
    assert Strict(asked).wrong == []
    assert "1 customer has it now" in asked
    assert staff.post(address, {"reason": " "}).status_code == 422
    assert queries.stops() == {}
    why = "Its models <are> being repaired."
    assert "Stopped, for 1 customers" in staff.post(address, {"reason": why}, follow=True).content.decode()
    assert "stopped, with its keys" in page(story)
    for name in ("console", "console_keys", "console_usage"):
        text = mine.get(reverse(name)).content.decode()
        assert Strict(text).wrong == []
        assert "is stopped by us for now" in text, name
        assert "&lt;are&gt;" in text, name
    public = story.client()
    assert "Its models &lt;are&gt; being repaired." in public.get(reverse("status")).content.decode()
    assert "Stopped for now" in public.get(reverse("plans")).content.decode()
    with pytest.raises(sales.CannotOrder):
        purchase.start_order(story.till.customer(), "pro", price_of("pro"))
    assert staff.post(address, {"reason": why}).status_code == 422, "it is stopped already"
    assert "It goes on, for 1 customers" in press(story, "desk_plan", "pro", "resume")
    assert "is not stopped" in press(story, "desk_plan", "pro", "resume")
    assert "is stopped by us" not in mine.get(reverse("console_keys")).content.decode()
    assert staff.get(reverse("desk_plan_stop", args=["no-such"])).status_code == 404


def test_the_switch_of_all_keys_at_a_relay(story: Story, relay: None, sold: Delivery) -> None:
    probe()
    assert "Stopped: 1 keys" in press(story, "desk_relay", "relay", "stop")
    assert "all keys stopped" in page(story)
    desire = queries.desired(sold.pk)
    assert desire is not None
    assert not desire.enabled
    assert Job.objects.filter(kind="align_key").count() == 1
    probe()
    assert TargetState.objects.get().stopped, "a probe opens nothing that a person has stopped"
    assert "1 keys go on" in press(story, "desk_relay", "relay", "start")
    assert story.client(story.staff).post("/desk/relays/none/stop/").status_code == 404


def test_a_relay_is_asked_on_wish(story: Story, relay: None) -> None:
    assert "is being asked" in press(story, "desk_relay", "relay", "look")
    assert Job.objects.filter(kind="look_at_relay").count() == 1


def test_odd_keys_and_those_behind_have_one_right_action(story: Story, relay: None, sold: Delivery) -> None:
    now = timezone.now() - dt.timedelta(minutes=5)
    Snapshot.objects.create(delivery=sold, as_of=now, enabled=True, cap=10, used=3, odd="fell")
    Delivery.objects.filter(pk=sold.pk).update(wanted=2, aligned=1)
    text = page(story)
    assert "use fell" in text
    assert "Not yet as wished" in text
    assert "is being asked" in press(story, "desk_relay_key", sold.pk, "look")
    assert "being brought in line" in press(story, "desk_relay_key", sold.pk, "align")
    assert Job.objects.filter(kind="sync_key").count() == 1
    assert Job.objects.filter(kind="align_key").count() == 1


def test_a_wallet_that_cannot_hold_one_more_sells_no_more(story: Story, relay: None) -> None:
    plan = msgspec.structs.replace(catalog.get_plan("pro"), target="relay")
    units = sum(grant.amount for grant in plan.grants if grant.unit == plan.key.unit)
    probe(wallet=2 * units)
    assert selling.why_unsold(plan) == selling.why_unsold(plan, 2) == ""
    assert selling.why_unsold(plan, 3) == "wallet"
    TargetState.objects.update(promised=units + 1)
    assert selling.why_unsold(plan) == "wallet", "what was sold since the last probe counts"
    probe(wallet=None)
    assert selling.why_unsold(plan, 1000) == "", "a relay without a wallet has no such end"


def test_what_a_probe_found_is_shown_and_what_is_sold_beyond_it(story: Story, relay: None) -> None:
    facts = Facts(
        "1.2", "USD", frozenset({"cap", "models"}), chooses_secret=True, reads_secret=True, skew_s=120.0
    )
    delivery.keep_probe("relay", facts)
    text = page(story)
    for words in ("USD", "Cap · Models", "its clock is 120 s ahead of ours"):
        assert words in text, words
    delivery.keep_probe("relay", None, "no_answer")
    assert "Cap · Models" in page(story), "it is still known while it does not answer"
    plan = msgspec.structs.replace(catalog.get_plan("pro"), target="relay")
    narrow = msgspec.structs.replace(
        plan.key, models=("m",), limits=(LimitTerms("minute", "requests", 60, 60),), concurrency=2
    )
    assert selling.not_kept(msgspec.structs.replace(plan, key=narrow)) == (
        "requests_per_minute",
        "concurrency",
    )
    assert selling.not_kept(msgspec.structs.replace(plan, target="")) == ()
