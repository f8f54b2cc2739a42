"""Keys and deliveries: what is stored, what the gates are told, what is shown once."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from tests.services.lines import FREE, PRO, customer
from tollkeeper.core.keys import digest, well_formed
from tollkeeper.core.terms import LimitTerms, decode_key_terms
from tollkeeper.delivery import queries, services
from tollkeeper.delivery.models import Delivery, Key, KeyEntry
from tollkeeper.delivery.services import AlreadyRevealed, BadWish, NoDelivery, NoKey, NothingDelivered, Own

pytestmark = pytest.mark.django_db


@pytest.fixture
def buyer() -> int:
    return customer()


def delivered(buyer: int, line_id: int = 1, terms=PRO, ends_at: dt.datetime | None = None) -> int:
    delivery = services.open_delivery(
        line_id, customer_id=buyer, provisioner="gate_key", terms=terms, ends_at=ends_at
    )
    services.provide_key(delivery, title="Pro")
    services.finish_delivery(delivery)
    return delivery


def entry() -> KeyEntry:
    return KeyEntry.objects.get()


def test_a_key_is_stored_as_a_keyed_hash_only(buyer: int) -> None:
    key_id, text = services.create_key(buyer, name=" my  laptop ", terms=PRO)
    assert well_formed(text.text.encode())
    row = KeyEntry.objects.get(pk=key_id)
    assert bytes(row.digest) == digest(text.text.encode(), settings.KEY_PEPPER)
    assert decode_key_terms(row.terms) == PRO
    [shown] = queries.list_keys(buyer)
    assert (shown.name, shown.state) == ("my laptop", "active")
    assert shown.prefix_hint == f"tk_live_…{text.text[-4:]}"
    with connection.cursor() as cursor:
        for table in ("delivery_key", "delivery_keyentry"):
            cursor.execute(f"SELECT * FROM {table}")
            stored = repr(cursor.fetchall())
            assert text.text[8:-6] not in stored
            assert "laptop" not in stored, "the name is sealed"


def test_the_tenant_is_stable_opaque_and_anothers_for_another(buyer: int) -> None:
    assert services.tenant(buyer) == services.tenant(buyer) != services.tenant(buyer + 1)
    assert str(buyer) != services.tenant(buyer).removeprefix("ten_")


@pytest.mark.parametrize("name", ["", "  ", "\x00\x01", "x" * 61])
def test_a_bad_name_makes_no_key(buyer: int, name: str) -> None:
    with pytest.raises(BadWish):
        services.create_key(buyer, name=name, terms=PRO)
    assert not Key.objects.exists()


def test_without_a_plan_there_is_no_key(buyer: int) -> None:
    with pytest.raises(NothingDelivered):
        services.create_key(buyer, name="early")


def test_versions_of_the_feed_grow_with_every_change_and_only_then(buyer: int) -> None:
    key_id, _ = services.create_key(buyer, name="a", terms=PRO)
    first = entry().version
    assert services.suspend_keys(buyer, "dispute") == 1
    assert entry().version == first + 1 == queries.feed_version()
    assert services.suspend_keys(buyer, "dispute") == 0
    assert queries.feed_version() == first + 1

    def half_done() -> None:
        services.revoke_key(key_id, buyer)
        raise RuntimeError

    with pytest.raises(RuntimeError), transaction.atomic():
        half_done()
    assert (entry().state, queries.feed_version()) == ("suspended", first + 1)


def test_reasons_add_up_and_new_keys_are_born_stopped(buyer: int) -> None:
    services.create_key(buyer, name="a", terms=PRO)
    services.suspend_keys(buyer, "dispute")
    services.suspend_keys(buyer, "operator")
    services.create_key(buyer, name="b", terms=PRO)
    assert {(row.state, row.reason) for row in KeyEntry.objects.all()} == {("suspended", "dispute")}
    services.resume_keys(buyer, "dispute")
    assert {(row.state, row.reason) for row in KeyEntry.objects.all()} == {("suspended", "operator")}
    services.resume_keys(buyer, "operator")
    assert {(row.state, row.reason) for row in KeyEntry.objects.all()} == {("active", "")}


def test_one_key_can_be_stopped_alone(buyer: int) -> None:
    one, _ = services.create_key(buyer, name="a", terms=PRO)
    two, _ = services.create_key(buyer, name="b", terms=PRO)
    services.suspend_keys(buyer, "owner", key_id=one)
    assert {row.pk: row.state for row in KeyEntry.objects.all()} == {one: "suspended", two: "active"}


def test_a_revoked_key_stays_revoked(buyer: int) -> None:
    key_id, _ = services.create_key(buyer, name="a", terms=PRO)
    assert services.revoke_key(key_id, buyer)
    assert not services.revoke_key(key_id, buyer)
    services.suspend_keys(buyer, "dispute")
    services.resume_keys(buyer, "dispute")
    assert entry().state == "revoked"
    with pytest.raises(BadWish):
        services.rotate_key(key_id, buyer, overlap=dt.timedelta(0))


def test_nobody_touches_anothers_key(buyer: int) -> None:
    key_id, _ = services.create_key(buyer, name="a", terms=PRO)
    thief = customer()
    for verb in (
        lambda: services.revoke_key(key_id, thief),
        lambda: services.rename_key(key_id, thief, "mine"),
        lambda: services.narrow_key(key_id, thief, Own()),
        lambda: services.set_expiry(key_id, thief, None),
        lambda: services.suspend_keys(thief, "owner", key_id=key_id),
        lambda: services.rotate_key(key_id, thief, overlap=dt.timedelta(0)),
    ):
        with pytest.raises(NoKey):
            verb()
    assert queries.find_key(key_id, thief) is None
    assert entry().state == "active"


def test_a_key_can_be_narrowed_and_widened_again(buyer: int) -> None:
    key_id, _ = services.create_key(buyer, name="a", terms=PRO)
    own = Own(limits=(LimitTerms("slow", "requests", 1, 1),), routes=("posts",), ip_ranges=("127.0.0.1",))
    services.narrow_key(key_id, buyer, own)
    terms = decode_key_terms(entry().terms)
    assert (terms.routes, terms.ip_ranges) == (("posts",), ("127.0.0.1/32",))
    assert [limit.name for limit in terms.limits] == ["minute", "own-slow"]
    services.narrow_key(key_id, buyer, Own())
    assert decode_key_terms(entry().terms) == PRO


def test_expiry_reaches_the_gates_and_is_marked_later(buyer: int) -> None:
    key_id, _ = services.create_key(buyer, name="a", terms=PRO)
    ends = timezone.now() + dt.timedelta(hours=1)
    services.set_expiry(key_id, buyer, ends)
    assert entry().expires_at == ends
    with pytest.raises(BadWish):
        services.set_expiry(key_id, buyer, timezone.now())
    with time_machine.travel(ends + dt.timedelta(seconds=1)):
        assert services.expire_keys() == 1
        assert services.expire_keys() == 0
    assert (Key.objects.get().state, entry().state) == ("expired", "revoked")


def test_rotation_overlaps_and_keeps_wishes(buyer: int) -> None:
    old, _ = services.create_key(buyer, name="a", terms=PRO, own=Own(routes=("posts",)))
    new, text = services.rotate_key(old, buyer, overlap=dt.timedelta(hours=24))
    rows = {row.id: row for row in queries.list_keys(buyer)}
    assert rows[new].replaces_id == old
    assert rows[new].own == rows[old].own == Own(routes=("posts",))
    assert rows[new].expires_at is None
    left = KeyEntry.objects.get(pk=old).expires_at - timezone.now()
    assert dt.timedelta(hours=23, minutes=59) < left <= dt.timedelta(hours=24)
    assert well_formed(text.text.encode())
    services.rotate_key(new, buyer, overlap=dt.timedelta(0))
    assert KeyEntry.objects.get(pk=new).state == "revoked"


def test_fifty_keys_are_enough(buyer: int) -> None:
    for number in range(50):
        services.create_key(buyer, name=f"k{number}", terms=PRO)
    with pytest.raises(BadWish, match="50 keys"):
        services.create_key(buyer, name="one more", terms=PRO)


def test_the_day_of_last_use_only_grows(buyer: int) -> None:
    key_id, _ = services.create_key(buyer, name="a", terms=PRO)
    today = dt.date(2026, 5, 2)
    services.touch_keys({key_id: today})
    services.touch_keys({key_id: today - dt.timedelta(days=1)})
    assert Key.objects.get().last_used_on == today


def test_a_delivered_key_is_shown_once(buyer: int) -> None:
    delivery = delivered(buyer)
    assert queries.find_unrevealed(buyer).id == delivery
    text = services.reveal(delivery, buyer)
    assert digest(text.text.encode(), settings.KEY_PEPPER) == bytes(entry().digest)
    assert Delivery.objects.get().sealed_secret is None
    with pytest.raises(AlreadyRevealed):
        services.reveal(delivery, buyer)
    assert queries.find_unrevealed(buyer) is None
    assert [step.name for step in queries.find_delivery(1).steps] == [
        "preparing",
        "key ready",
        "delivered",
        "shown",
    ]


def test_nobody_else_is_shown_it(buyer: int) -> None:
    delivery = delivered(buyer)
    with pytest.raises(NoDelivery):
        services.reveal(delivery, customer())
    assert Delivery.objects.get().sealed_secret is not None


def test_nothing_is_shown_before_it_is_delivered(buyer: int) -> None:
    delivery = services.open_delivery(1, customer_id=buyer, provisioner="gate_key", terms=PRO)
    services.provide_key(delivery, title="Pro")
    with pytest.raises(AlreadyRevealed):
        services.reveal(delivery, buyer)


def test_a_second_line_raises_the_keys_that_are_there(buyer: int) -> None:
    delivered(buyer, 1, FREE)
    delivered(buyer, 2, PRO)
    assert Key.objects.count() == 1
    assert decode_key_terms(entry().terms) == PRO
    assert services.revoke_delivery(2)
    assert decode_key_terms(entry().terms) == FREE
    assert entry().state == "active"


def test_the_end_of_everything_delivered_stops_the_keys_and_a_new_line_wakes_them(buyer: int) -> None:
    delivered(buyer, 1)
    assert services.revoke_delivery(1)
    assert not services.revoke_delivery(1)
    assert (entry().state, entry().reason) == ("suspended", "plan_over")
    delivered(buyer, 2)
    assert entry().state == "active"


def test_a_period_that_ended_stops_the_keys_once(buyer: int) -> None:
    ends = timezone.now() + dt.timedelta(days=1)
    delivered(buyer, 1, ends_at=ends)
    assert services.end_deliveries() == 0
    with time_machine.travel(ends + dt.timedelta(minutes=1)):
        assert services.end_deliveries() == 1
        assert services.end_deliveries() == 0
        assert entry().state == "suspended"


def test_handing_over_twice_is_handing_over_once(buyer: int) -> None:
    for _ in range(2):
        delivery = services.open_delivery(1, customer_id=buyer, provisioner="gate_key", terms=PRO)
        first = services.provide_key(delivery, title="Pro")
    assert first
    assert services.finish_delivery(delivery)
    assert not services.finish_delivery(delivery)
    assert not services.fail_delivery(1, "late")
    assert (Key.objects.count(), Delivery.objects.get().state) == (1, "delivered")


def test_a_failed_delivery_can_be_taken_up_again(buyer: int) -> None:
    services.open_delivery(1, customer_id=buyer, provisioner="gate_key", terms=PRO)
    assert services.fail_delivery(1, "gave_up")
    assert [row.error for row in queries.failed_deliveries()] == ["gave_up"]
    delivered(buyer, 1)
    assert queries.find_delivery(1).state == "delivered"
