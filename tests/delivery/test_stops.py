"""The switch of one plan: what stops, what goes on, and what comes back."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from django.utils import timezone

from tests.delivery.test_services import delivered, entry
from tests.services.lines import FREE, PRO, customer
from tollkeeper.core.terms import KeyTerms, decode_key_terms
from tollkeeper.delivery import queries, services, stops
from tollkeeper.delivery.models import Delivery, Key, KeyEntry

pytestmark = pytest.mark.django_db


@pytest.fixture
def buyer() -> int:
    return customer()


def stop(plan: str) -> list[int]:
    assert services.stop_plan(plan, "Its models are being repaired.", timezone.now())
    return services.follow_stop(plan, after=0, there=False)


def go_on(plan: str) -> list[int]:
    assert services.resume_plan(plan)
    return services.follow_stop(plan, after=0, there=False)


def test_every_key_of_the_plan_stops_and_no_other(buyer: int) -> None:
    delivered(buyer, 1)
    services.create_key(buyer, name="second", unit="calls")
    other = customer()
    delivered(other, 2, FREE)
    assert stop("pro") == [buyer]
    states = dict(KeyEntry.objects.values_list("customer_id", "state").distinct())
    assert states == {buyer: "suspended", other: "active"}
    assert {key.reason for key in queries.list_keys(buyer)} == {"plan_stopped"}
    assert [one.plan for one in queries.stops_for(buyer)] == ["pro"]
    assert queries.stops_for(other) == []
    assert not services.stop_plan("pro", "again", timezone.now()), "it is stopped already"
    assert queries.stops()["pro"].reason == "Its models are being repaired."
    assert go_on("pro") == [buyer]
    assert set(KeyEntry.objects.values_list("state", flat=True)) == {"active"}
    assert not services.resume_plan("pro")


def test_a_key_with_another_plan_goes_on_with_its_terms_alone(buyer: int) -> None:
    delivered(buyer, 1, FREE)
    delivered(buyer, 2, PRO)
    stop("pro")
    assert (entry().state, decode_key_terms(entry().terms)) == ("active", FREE)
    stop("free")
    assert (entry().state, entry().reason) == ("suspended", "plan_stopped")
    go_on("pro")
    assert (entry().state, decode_key_terms(entry().terms)) == ("active", PRO)
    go_on("free")
    assert decode_key_terms(entry().terms).concurrency == 20


def test_going_on_lifts_no_other_reason(buyer: int) -> None:
    delivered(buyer, 1)
    second, _ = services.create_key(buyer, name="second", unit="calls")
    services.suspend_keys(buyer, services.PAUSED, key_id=second)
    stop("pro")
    services.suspend_keys(buyer, "dispute")
    go_on("pro")
    assert set(KeyEntry.objects.values_list("reason", flat=True)) == {"dispute"}
    services.resume_keys(buyer, "dispute")
    assert {key.id: key.state for key in queries.list_keys(buyer)}[second] == "suspended"
    assert Key.objects.filter(state="active").count() == 1


def test_what_comes_while_it_is_stopped_is_born_stopped(buyer: int) -> None:
    stop("pro")
    delivered(buyer, 1)
    services.create_key(buyer, name="second", unit="calls")
    assert set(KeyEntry.objects.values_list("state", flat=True)) == {"suspended"}
    assert go_on("pro") == [buyer]
    assert set(KeyEntry.objects.values_list("state", flat=True)) == {"active"}


def test_a_plan_that_ends_while_it_is_stopped_stays_ended(buyer: int) -> None:
    ends = timezone.now() + dt.timedelta(days=1)
    delivered(buyer, 1, ends_at=ends)
    stop("pro")
    with time_machine.travel(ends + dt.timedelta(minutes=1)):
        assert services.end_deliveries() == 1
        assert go_on("pro") == []
        assert (entry().state, entry().reason) == ("suspended", "plan_over")


def test_batches_take_every_customer_once(monkeypatch: pytest.MonkeyPatch) -> None:
    buyers = [customer() for _ in range(5)]
    for number, one in enumerate(buyers):
        delivered(one, number + 1)
        delivered(one, number + 100, KeyTerms("other", unit="tokens"))
    monkeypatch.setattr(stops, "BATCH", 2)
    services.stop_plan("pro", "x", timezone.now())
    seen: list[int] = []
    while some := services.follow_stop("pro", after=seen[-1] if seen else 0, there=False):
        seen += some
    assert seen == buyers
    assert KeyEntry.objects.filter(state="suspended").count() == 5, "keys of another unit go on"
    assert queries.customers_by_plan() == {"pro": 5, "other": 5}
    assert Delivery.objects.filter(plan="pro").count() == 5
