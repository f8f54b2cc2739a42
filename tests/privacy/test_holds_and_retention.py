"""Hold orders, and what a night takes: exactly what is due, nothing that is held or still needed."""

import datetime as dt
import itertools
import uuid

import pytest
import time_machine
from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone

from tests.services.gates import Gate
from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.models import Customer
from tollkeeper.catalog.services import load_shop
from tollkeeper.core.refusal import Refused
from tollkeeper.flows import erasure
from tollkeeper.flows import retention as nightly
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit import log_keys, sealed
from tollkeeper.kit.fields import to_micros
from tollkeeper.kit.job_runner import claim, run
from tollkeeper.kit.models import Job
from tollkeeper.privacy import holds, requests, retention
from tollkeeper.privacy.models import Choice, Request
from tollkeeper.sales.models import Order
from tollkeeper.support import services as support
from tollkeeper.support.models import Message, Ticket
from tollkeeper.usage import services as usage
from tollkeeper.usage.models import Balance, Call, Code, CodeBatch, Grant

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)
YEARS = dt.timedelta(days=1200)


@pytest.fixture(autouse=True)
def shop() -> None:
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")


def person(name: str) -> tuple[uuid.UUID, int]:
    user = accounts.create_person(f"{name}@example.org", None)
    return user.pk, accounts.ensure_customer(user)


def call(customer: int, days: int) -> None:
    Call.objects.create(
        request_id=uuid.uuid4().hex, gate_id="g", key_id=1, customer_id=customer, route="r", method="GET",
        status=200, outcome=0, unit="calls", units=1, bytes_in=1, bytes_out=1, latency_us=1,
        called_at=timezone.now() - dt.timedelta(days=days),
    )  # fmt: skip


def test_a_night_takes_what_is_due_and_a_second_nothing() -> None:
    ada, customer = person("ada")
    for days in (1, 29, 31, 90):
        call(customer, days)
    now = timezone.now()
    Choice.objects.create(
        subject_id=ada, purpose="improve", action="object", source="form", chosen_at=now - YEARS
    )
    Session.objects.create(session_key="old", session_data="x", expire_date=now - dt.timedelta(days=20))
    assert {one.label: one.rows for one in retention.due_now(now)} == {
        "usage.Call": 2, "privacy.Choice": 1, "sessions.Session": 1,
    }  # fmt: skip
    assert nightly.run(now) == {"usage.Call": 2, "privacy.Choice": 1, "sessions.Session": 1}
    assert retention.due_now(now) == []
    assert nightly.run(now) == {}
    assert Call.objects.count() == 2


def test_a_run_that_was_killed_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    ada, _ = person("ada")
    for _ in range(7):
        Choice.objects.create(
            subject_id=ada,
            purpose="improve",
            action="object",
            source="form",
            chosen_at=timezone.now() - YEARS,
        )
    real, turns = retention._delete, iter(range(100))

    def dies(*given: object) -> int:
        if next(turns) == 2:
            raise KeyboardInterrupt
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(retention, "_delete", dies)
    with pytest.raises(KeyboardInterrupt):
        retention.run(timezone.now(), batch=2)
    assert Choice.objects.count() == 3
    monkeypatch.undo()
    assert retention.run(timezone.now(), batch=2) == {"privacy.Choice": 3}


def test_orders_lose_their_person_and_keep_their_sums() -> None:
    _, customer = person("ada")
    old = timezone.now() - YEARS
    for number, at in (("O-1", old), ("O-2", timezone.now())):
        Order.objects.create(
            number=number, offer=number, customer_id=customer, currency="EUR", total_minor=700, created_at=at
        )
    Order.objects.filter(number="O-1").update(created_at=old)
    assert retention.run(timezone.now())["sales.Order"] == 1
    assert sum(Order.objects.values_list("total_minor", flat=True)) == 1400
    first, second = Order.objects.get(number="O-1"), Order.objects.get(number="O-2")
    assert Customer.objects.get(pk=first.customer_id).owner_id is None
    assert second.customer_id == customer
    assert retention.due_now(timezone.now()) == []


def test_what_is_held_stays_and_the_erasure_goes_on_when_it_is_released() -> None:
    ada, customer = person("ada")
    staff, _ = person("staff")
    support.open_ticket("title", "words", customer_id=customer, owner=ada)
    call(customer, 40)
    review = timezone.now().date() + dt.timedelta(days=30)
    number = holds.hold(ada, "support", ground="claim", reviewer=staff, review_on=review)
    Ticket.objects.update(closed_at=timezone.now() - YEARS)
    asked = erasure.close_account(ada, at_once=True)
    context = claim(["erase_person"])
    assert context is not None
    assert run(context) == "done"
    assert requests.waiting_erasures(ada) == [asked]
    assert Message.objects.count() == 1
    assert Call.objects.count() == 0
    assert sealed.destroyed([ada]) == set()
    assert "support.Ticket" not in retention.run(timezone.now())

    erasure.release_hold(number, staff)
    context = claim(["erase_person"])
    assert context is not None
    assert run(context) == "done"
    assert Message.objects.count() == 0
    assert sealed.destroyed([ada]) == {ada}
    assert Request.objects.get(number=asked).state == "fulfilled"
    assert Job.objects.filter(kind="erase_person", state="done").count() == 2


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"ground": "mood"}, "ground"),
        ({"ground": "crime"}, "authority"),
        ({"days": 0}, "ahead"),
        ({"days": 400}, "within a year"),
        ({"record_set": "everything"}, "record set"),
    ],
)
def test_a_hold_needs_its_facts(facts: dict[str, object], why: str) -> None:
    ada, _ = person("ada")
    days = int(str(facts.pop("days", 10)))
    given = {"record_set": "orders", "ground": "claim", **facts}
    with pytest.raises(Refused, match=why):
        holds.hold(
            ada, str(given["record_set"]), ground=str(given["ground"]), reviewer=ada,
            review_on=timezone.now().date() + dt.timedelta(days=days),
        )  # fmt: skip
    assert holds.list_holds() == []


LEDGER_DAYS = 1_130
CALLS = itertools.count(1, 10)


def ledger(customer: int, spend: int) -> Grant:
    """A grant of ten units of which some are spent, all booked when the clock says."""
    usage.issue_grant(key=uuid.uuid4().hex, customer_id=customer, unit="calls", amount=10, source="test")
    gate, now = Gate(first_call=next(CALLS)), to_micros(timezone.now())
    drawn = gate.draw(customer, spend, spend, now)
    records = [*gate.call(customer, drawn.lease_id, spend, now), gate.close(drawn.lease_id, customer, now)]
    assert usage.take_in("gate-1", uuid.uuid4().hex, 0, records, 100).calls == 1
    return Grant.objects.latest("pk")


def test_old_pages_of_the_ledger_lose_their_person_and_what_is_left_of_them_stays() -> None:
    _, ada = person("ada")
    _, bob = person("bob")
    with time_machine.travel(timezone.now() - dt.timedelta(days=LEDGER_DAYS), tick=False):
        spent, begun = ledger(ada, 10), ledger(ada, 4)
        untouched = ledger(bob, 10)
    young = ledger(ada, 3)
    now = timezone.now()
    due = {one.label: one.rows for one in retention.due_now(now)}
    assert due["usage.Grant"] == 2
    assert due["usage.Entry"] > 0
    gone = nightly.run(now)
    assert gone["usage.Entry"] == due["usage.Entry"]
    assert retention.due_now(now) == []
    assert nightly.run(now) == {}
    assert [b.spendable for b in Balance.objects.filter(customer_id=ada)] == [6 + 7]
    assert set(Grant.objects.filter(customer_id=ada)) == {begun, young}
    nobody = {Grant.objects.get(pk=one.pk).customer_id for one in (spent, untouched)}
    assert len(nobody) == 1
    assert Customer.objects.get(pk=nobody.pop()).owner_id is None
    assert usage.check_book() == []
    assert usage.rebuild() == 0


def test_a_held_ledger_stays_whole() -> None:
    ada, customer = person("ada")
    staff, _ = person("staff")
    with time_machine.travel(timezone.now() - dt.timedelta(days=LEDGER_DAYS), tick=False):
        ledger(customer, 10)
    review = timezone.now().date() + dt.timedelta(days=30)
    number = holds.hold(ada, "calls", ground="claim", reviewer=staff, review_on=review)
    assert "usage.Entry" not in nightly.run(timezone.now())
    holds.release(number, staff)
    assert nightly.run(timezone.now())["usage.Entry"] > 0


def test_who_redeemed_a_code_is_forgotten() -> None:
    _, customer = person("ada")
    batch = CodeBatch.objects.create(label="b", unit="calls", amount=1, created_at=timezone.now())
    old = timezone.now() - dt.timedelta(days=LEDGER_DAYS)
    Code.objects.create(batch=batch, digest=b"1" * 16, customer_id=customer, redeemed_at=old)
    assert nightly.run(timezone.now()) == {"usage.Code": 1}
    assert [(one.customer_id, one.redeemed_at) for one in Code.objects.all()] == [(None, old)]
    assert retention.due_now(timezone.now()) == []


def test_the_key_of_a_day_goes_with_its_calls() -> None:
    ada, customer = person("ada")
    staff, _ = person("staff")
    now = timezone.now()
    for days in (40, 35, 0):
        log_keys.make_ahead((now - dt.timedelta(days=days)).date(), 1)
        call(customer, days)
    today = log_keys.day_number(now.date())
    review = now.date() + dt.timedelta(days=30)
    number = holds.hold(ada, "calls", ground="claim", reviewer=staff, review_on=review)
    Call.objects.filter(called_at__lt=now - dt.timedelta(days=38)).update(customer_id=customer + 1)
    nightly.run(now)
    assert log_keys.oldest_day(log_keys.CALLS) == today - 35, "a day with a held call keeps its key"
    holds.release(number, staff)
    nightly.run(now)
    assert log_keys.oldest_day(log_keys.CALLS) == today
    assert Call.objects.count() == 1


def test_nothing_comes_due_between_two_nights() -> None:
    _, customer = person("ada")
    night = timezone.now().replace(hour=3, minute=0)
    for hours in range(0, 96, 3):
        call(customer, 0)
        Call.objects.filter(pk=Call.objects.latest("pk").pk).update(
            called_at=night - dt.timedelta(days=27, hours=hours)
        )
    with time_machine.travel(night, tick=False):
        Choice.objects.create(
            subject_id=person("bob")[0], purpose="improve", action="object", source="form",
            chosen_at=night - dt.timedelta(days=1124, hours=12),
        )  # fmt: skip
        nightly.tonight()
    for hours in (1, 12, 24):
        assert retention.due_now(night + dt.timedelta(hours=hours)) == []
    assert Call.objects.exists()
