"""From receipt to answer: only the steps that the law knows, each with its clock and ground."""

import datetime as dt
import uuid

import pytest
import time_machine
from django.conf import settings
from django.db import IntegrityError, transaction

from tollkeeper.catalog.services import load_shop
from tollkeeper.core import identity
from tollkeeper.core.refusal import Refused
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.privacy import answering, requests
from tollkeeper.privacy.models import Request

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])
DAY = dt.datetime(2026, 6, 10, 9, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def shop() -> None:
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")


def ask(kind: str = "access", **facts: str) -> str:
    return requests.open_request(kind, channel="form", contact=f"{uuid.uuid4().hex}@example.org", **facts)


def test_the_clock_stands_while_the_person_shows_who_they_are() -> None:
    with time_machine.travel(DAY, tick=False) as clock:
        number = ask()
        before = Request.objects.get(number=number).due_on
        answering.ask_who(number)
        clock.shift(dt.timedelta(days=7))
        assert answering.show(number, "address")
        row = Request.objects.get(number=number)
    assert before == dt.date(2026, 7, 10)
    assert (row.due_on, row.paused_days, row.state) == (dt.date(2026, 7, 17), 7, "acknowledged")


def test_an_extension_has_a_ground_and_tells_the_remedy() -> None:
    with time_machine.travel(DAY, tick=False):
        number = ask()
        answering.acknowledge(number)
        with pytest.raises(Refused, match="grounds"):
            answering.extend(number, "no time")
        told = answering.extend(number, "complex")
    row = Request.objects.get(number=number)
    assert (row.due_on, row.state, row.ground) == (dt.date(2026, 9, 10), "extended", "complex")
    assert told.authority
    assert told.courts


def test_what_is_late_cannot_be_extended() -> None:
    with time_machine.travel(DAY, tick=False) as clock:
        number = ask()
        answering.acknowledge(number)
        clock.shift(dt.timedelta(days=40))
        with pytest.raises(Refused, match="time is over"):
            answering.extend(number, "complex")


def test_opting_out_cannot_be_extended() -> None:
    with time_machine.travel(DAY, tick=False):
        number = ask("opt_out", regime="ccpa")
        assert Request.objects.get(number=number).due_on == dt.date(2026, 7, 2)
        answering.acknowledge(number)
        with pytest.raises(Refused, match="no law"):
            answering.extend(number, "complex")


def test_a_refusal_without_a_ground_cannot_be_stored() -> None:
    number = ask()
    with pytest.raises(Refused, match="grounds"):
        answering.refuse(number, "")
    with pytest.raises(IntegrityError):
        Request.objects.filter(number=number).update(state="refused")


def test_nothing_is_answered_before_its_writer_is_known() -> None:
    number = ask()
    with pytest.raises(Refused, match="control of the address"):
        answering.finish(number)
    with pytest.raises(IntegrityError), transaction.atomic():
        Request.objects.filter(number=number).update(state="fulfilled")
    with pytest.raises(Refused, match="can be shown by"):
        answering.show(number, "passport")
    assert answering.show(number, "address")
    answering.finish(number, reply="card 4242 4242 4242 4242")
    row = Request.objects.get(number=number)
    assert (row.state, row.shown_by) == ("fulfilled", "address")
    assert "4242 4242" not in str(row.reply)


def test_facts_are_not_guessed_for_ever() -> None:
    number = ask()
    assert [answering.wrong_fact(number) for _ in range(4)] == [2, 1, 0, 0]
    assert Request.objects.get(number=number).needs == identity.EVIDENCE
    assert not answering.show(number, "sign_in"), "guessing raised the bar"
    assert answering.show(number, "callback")


def test_an_answer_ends_it() -> None:
    number = ask("other")
    answering.finish(number)
    with pytest.raises(Refused, match="fulfilled"):
        answering.refuse(number, "unfounded")


def test_who_never_shows_who_they_are_lapses() -> None:
    with time_machine.travel(DAY, tick=False) as clock:
        number = ask()
        answering.ask_who(number)
        clock.shift(dt.timedelta(days=91))
        assert answering.lapse(dt.datetime.now(dt.UTC)) == 1
    assert Request.objects.get(number=number).state == "lapsed"
