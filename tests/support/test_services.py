"""Tickets: sealed, without card numbers, with a clock."""

import datetime as dt
import re

import pytest

from tollkeeper.accounts import services as accounts
from tollkeeper.core.refusal import Refused
from tollkeeper.kit import audit, sealed
from tollkeeper.kit.trail.models import Entry
from tollkeeper.privacy.canary import Scanner
from tollkeeper.support import queries, services

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)

CARD = "4242 4242 4242 4242"


def test_a_customers_words_are_sealed_under_their_own_key() -> None:
    ada = accounts.create_person("ada@example.org", None)
    customer = accounts.ensure_customer(ada)
    number = services.open_ticket("Canary title", "Canary words", customer_id=customer, owner=ada.pk)
    assert list(Scanner(["canary title", "canary words"]).scan_database("default")) == []
    services.add_message(number, "Our answer", from_us=True)
    found = queries.find_thread(number, customer)
    assert found is not None
    ticket, messages = found
    assert ticket.title == "Canary title"
    assert [(m.from_us, m.body) for m in messages] == [(False, "Canary words"), (True, "Our answer")]
    assert ticket.answered_at is not None
    assert queries.find_thread(number, customer + 1) is None
    sealed.destroy(ada.pk)
    found = queries.find_thread(number)
    assert found is not None
    assert "Canary" not in str(found)


def test_a_stranger_writes_with_an_address() -> None:
    with pytest.raises(Refused):
        services.open_ticket("Title", "Words")
    number = services.open_ticket("Title", "Words", contact="stranger@example.org", complaint=True)
    assert list(Scanner(["stranger@example.org"]).scan_database("default")) == []
    assert queries.counts() == {"open": 1, "overdue": 0, "complaints": 1}
    with pytest.raises(Refused):
        services.close_ticket(number)
    services.add_message(number, "Answer", from_us=True)
    services.close_ticket(number)
    assert queries.open_tickets() == []
    services.add_message(number, "Not solved", from_us=False)
    assert [row.number for row in queries.open_tickets()] == [number]


def test_card_numbers_never_reach_the_table() -> None:
    number = services.open_ticket(CARD, f"please charge {CARD}!", contact="stranger@example.org")
    found = queries.find_thread(number)
    assert found is not None
    assert not re.search(r"\b4242\b|42424242", str(found))


@pytest.mark.parametrize(("title", "body"), [("", "x"), ("x", " "), ("x" * 121, "x"), ("x", "x" * 20_001)])
def test_bad_messages_are_refused_and_nothing_is_written(title: str, body: str) -> None:
    with pytest.raises(Refused):
        services.open_ticket(title, body, contact="stranger@example.org")
    assert queries.counts()["open"] == 0


def test_an_answer_has_an_author_and_makes_them_the_agent() -> None:
    agent = accounts.create_person("agent@example.org", None)
    number = services.open_ticket("Title", "Words", contact="stranger@example.org")
    services.add_message(number, "Answer", from_us=True, author=agent.pk)
    row = queries.find_ticket(number)
    assert row is not None
    assert (row.state, row.agent) == ("answered", agent.pk)


def test_writing_again_opens_a_ticket_with_a_new_clock_and_says_so() -> None:
    number = services.open_ticket("Title", "Words", contact="stranger@example.org")
    services.add_message(number, "Answer", from_us=True)
    services.close_ticket(number)
    services.close_ticket(number)
    before = queries.find_ticket(number)
    assert before is not None
    services.add_message(
        number, "Again", from_us=False, extra=services.Extra(answer_within=dt.timedelta(days=9))
    )
    after = queries.find_ticket(number)
    assert after is not None
    assert (after.state, after.closed_at, after.reopened_count) == ("open", None, 1)
    assert after.due_at > before.due_at
    assert Entry.objects.filter(verb="ticket.reopen").count() == 1


def test_struck_numbers_are_counted_and_too_many_files_refused() -> None:
    number = services.open_ticket("Title", f"{CARD} and {CARD}", contact="stranger@example.org")
    found = queries.find_thread(number)
    assert found is not None
    assert found[1][0].struck_count == 2
    files = (services.clean_file("a.txt", b"x"),) * 4
    with pytest.raises(Refused):
        services.add_message(number, "With files", from_us=False, extra=services.Extra(files=files))
    found = queries.find_thread(number)
    assert found is not None
    assert len(found[1]) == 1


def test_opening_somebody_elses_ticket_needs_a_reason_and_every_opening_is_recorded() -> None:
    one, other = (accounts.create_person(f"{name}@example.org", None) for name in ("one", "other"))
    ada = accounts.create_person("ada@example.org", None)
    number = services.open_ticket("T", "W", customer_id=accounts.ensure_customer(ada), owner=ada.pk)
    services.enter(number, one.pk)
    services.enter(number, other.pk)
    services.add_message(number, "Answer", from_us=True, author=one.pk)
    services.enter(number, one.pk)
    with pytest.raises(services.NeedsReason):
        services.enter(number, other.pk)
    with pytest.raises(services.NeedsReason):
        services.enter(number, other.pk, "curious")
    services.enter(number, other.pk, "handover")
    services.close_ticket(number)
    with pytest.raises(services.NeedsReason):
        services.enter(number, one.pk)
    entries = list(Entry.objects.filter(verb="ticket.read").order_by("seq"))
    assert [entry.note for entry in entries] == ["", "", "", "handover"]
    assert {entry.actor for entry in entries} == {audit.person(one.pk), audit.person(other.pk)}
    assert {entry.subject for entry in entries} == {audit.person(ada.pk)}
    assert audit.verify_trail().ok
