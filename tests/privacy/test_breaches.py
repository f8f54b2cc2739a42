"""The breach register: its clock, its guards, and who was concerned, asked of the tables."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable

import pytest
from django.conf import settings
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.catalog.services import load_shop
from tollkeeper.core.refusal import Refused
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit.trail.models import Entry
from tollkeeper.privacy import breaches
from tollkeeper.privacy.models import BreachNotice
from tollkeeper.support import services as support
from tollkeeper.usage.models import Call

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])
HOUR = dt.timedelta(hours=1)


@pytest.fixture(autouse=True)
def shop(db: None) -> None:
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")


def person(name: str) -> tuple[uuid.UUID, int]:
    user = accounts.create_person(f"{name}@example.org", None)
    return user.pk, accounts.ensure_customer(user)


def call(customer: int, at: dt.datetime) -> None:
    Call.objects.create(
        request_id=f"req_{customer}_{at:%d%H}", gate_id="g", key_id=1, customer_id=customer, route="posts",
        method="GET", status=200, outcome=0, unit="calls", units=1, bytes_in=1, bytes_out=1, latency_us=1,
        called_at=at,
    )  # fmt: skip


def test_the_clock_runs_from_the_moment_of_noticing() -> None:
    noticed = timezone.now() - dt.timedelta(hours=70)
    number = breaches.open_breach("seen", noticed_at=noticed)
    (row,) = breaches.unfinished()
    assert row.number == number
    assert row.authority_due_at - noticed == dt.timedelta(hours=72)
    assert breaches.overdue(timezone.now()) == 0
    assert breaches.overdue(timezone.now() + 3 * HOUR) == 1
    breaches.judge(number, "unlikely")
    assert breaches.overdue(timezone.now() + 3 * HOUR) == 0


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"kind": "strange"}, "must be one of"),
        ({"facts": "ada@example.org saw it"}, "address"),
        ({"scope": ("everything",)}, "record set"),
        ({"noticed_at": dt.datetime(2100, 1, 1, tzinfo=dt.UTC)}, "now or before"),
        (
            {
                "rows_from": dt.datetime(2026, 2, 1, tzinfo=dt.UTC),
                "rows_until": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
            },
            "begin before",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(facts: dict[str, object], said: str) -> None:
    given = {"kind": "seen", **facts}
    with pytest.raises(Refused, match=said):
        breaches.open_breach(**given)  # type: ignore[arg-type]
    assert breaches.list_breaches() == []


def test_whose_calls_lay_in_one_days_partition() -> None:
    day = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0) - dt.timedelta(days=2)
    (ada, ada_customer), (_, bob_customer) = person("ada"), person("bob")
    call(ada_customer, day)
    call(bob_customer, day + dt.timedelta(days=1))
    (part,) = breaches.concerned(("calls",), day - 12 * HOUR, day + 12 * HOUR)
    assert part.people == {ada}
    assert part.rows == 1
    assert "usage.calls" in part.categories
    (whole,) = breaches.concerned(("calls",))
    assert len(whole.people) == 2


def test_the_list_is_frozen_with_the_entry_and_grows_with_what_is_found_later() -> None:
    (ada, customer), (bob, bobs) = person("ada"), person("bob")
    support.open_ticket("t", "w", customer_id=customer, owner=ada)
    number = breaches.open_breach("gone", scope=("support",))
    breaches.list_people(number)
    assert set(BreachNotice.objects.values_list("subject_id", flat=True)) == {ada}
    support.open_ticket("t", "w", customer_id=bobs, owner=bob)
    breaches.list_people(number)
    breaches.list_people(number)
    found = breaches.find_breach(number)
    assert found is not None
    assert found.affected == 2
    assert breaches.telling(number) == (2, 0, 0)


def test_closed_only_when_everybody_who_must_be_told_was() -> None:
    number = breaches.open_breach("seen")
    steps: tuple[tuple[str, Callable[[], None]], ...] = (
        ("how grave", lambda: breaches.judge(number, "high", words="We lost a list.")),
        ("authority", lambda: breaches.note_step(number, "authority_told")),
        ("people concerned", lambda: breaches.note_step(number, "people_told")),
    )
    for said, change in steps:
        with pytest.raises(Refused, match=said):
            breaches.note_step(number, "closed")
        change()
    breaches.note_step(number, "closed")
    with pytest.raises(Refused, match="closed"):
        breaches.judge(number, "risk")
    verbs = (
        Entry.objects.filter(object=f"privacy.Breach:{number}").order_by("pk").values_list("verb", flat=True)
    )
    wanted = ["noticed", "judged", "authority_told", "people_told", "closed"]
    assert list(verbs) == [f"breach.{one}" for one in wanted]


def test_what_is_learnt_later_is_added_and_card_numbers_are_struck() -> None:
    number = breaches.open_breach("seen", facts="A page was open.")
    breaches.judge(number, "risk", facts="It showed 4111 1111 1111 1111 to one visitor.")
    row = breaches.find_breach(number)
    assert row is not None
    assert row.facts.startswith("A page was open.")
    assert "one visitor" in row.facts
    assert "4111 1111" not in row.facts
