"""Tickets: sealed, without card numbers, with a clock."""

import pytest

from tollkeeper.accounts import services as accounts
from tollkeeper.kit import sealed
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
    with pytest.raises(services.Refused):
        services.open_ticket("Title", "Words")
    number = services.open_ticket("Title", "Words", contact="stranger@example.org", complaint=True)
    assert list(Scanner(["stranger@example.org"]).scan_database("default")) == []
    assert queries.counts() == {"open": 1, "overdue": 0, "complaints": 1}
    with pytest.raises(services.Refused):
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
    assert "4242" not in str(found)


@pytest.mark.parametrize(("title", "body"), [("", "x"), ("x", " "), ("x" * 121, "x"), ("x", "x" * 20_001)])
def test_bad_messages_are_refused_and_nothing_is_written(title: str, body: str) -> None:
    with pytest.raises(services.Refused):
        services.open_ticket(title, body, contact="stranger@example.org")
    assert queries.counts()["open"] == 0
