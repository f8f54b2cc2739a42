"""Reads of support: lists with clocks, threads with files, and the link of a stranger."""

import datetime as dt
import uuid

import pytest
import time_machine
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.kit import sealed
from tollkeeper.support import queries, services
from tollkeeper.support.models import Ticket

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)
FILE = services.clean_file("log.txt", b"canary content of a file")


def stranger(**extra: object) -> str:
    return services.open_ticket("Title", "Words", contact="stranger@example.org", **extra)  # type: ignore[arg-type]


def test_a_file_is_sealed_listed_and_read_back() -> None:
    number = stranger(extra=services.Extra(files=(FILE,)))
    row = Ticket.objects.get(number=number)
    thread = queries.find_thread(number)
    assert thread is not None
    (file,) = thread[1][0].files
    assert (file.name, file.media_type, file.size) == ("log.txt", "text/plain", len(FILE.content))
    assert queries.find_file(number, file.file_id) == (file, FILE.content)
    assert queries.find_file(number, file.file_id, customer_id=7) is None
    assert queries.find_file("T-OTHER", file.file_id) is None
    sealed.destroy(row.case)
    assert queries.find_file(number, file.file_id) is None


def test_the_link_of_a_stranger_opens_their_ticket_and_no_other() -> None:
    one, other = stranger(), stranger()
    secret = queries.guest_secret(one)
    assert queries.check_guest(one, secret)
    assert not queries.check_guest(other, secret)
    assert not queries.check_guest(one, secret[:-1] + ("0" if secret[-1] != "0" else "1"))
    assert not queries.check_guest(one, "")
    assert not queries.check_guest("T-NONE", secret)
    assert not queries.check_guest(one, "ünïcode")


def test_the_ticket_of_a_customer_has_no_link() -> None:
    ada = accounts.create_person("ada@example.org", None)
    number = services.open_ticket("A", "B", customer_id=accounts.ensure_customer(ada), owner=ada.pk)
    assert not queries.check_guest(number, queries.guest_secret(number))
    assert queries.find_contact(number) is None


def test_lists_are_ordered_by_urgency_and_know_what_is_late() -> None:
    slow = stranger(extra=services.Extra(answer_within=dt.timedelta(days=14)))
    quick = stranger(extra=services.Extra(answer_within=dt.timedelta(days=1)), complaint=True)
    assert [row.number for row in queries.desk_tickets()] == [quick, slow]
    assert queries.due_complaints(timezone.now()) == []
    with time_machine.travel(timezone.now() + dt.timedelta(days=2)):
        assert [row.overdue for row in queries.desk_tickets()] == [True, False]
        assert [row.number for row in queries.due_complaints(timezone.now())] == [quick]
        assert queries.counts() == {"open": 2, "overdue": 1, "complaints": 1}
    services.add_message(quick, "Answer", from_us=True, author=None)
    assert [row.number for row in queries.desk_tickets("answered")] == [quick]
    services.close_ticket(slow)
    assert [row.number for row in queries.desk_tickets("closed")] == [slow]
    with pytest.raises(KeyError):
        queries.desk_tickets("all")


def test_an_erased_stranger_cannot_be_written_to() -> None:
    number = stranger()
    assert queries.find_contact(number) == "stranger@example.org"
    sealed.destroy(Ticket.objects.get(number=number).case)
    assert queries.find_contact(number) is None
    assert uuid.UUID(int=0) != Ticket.objects.get(number=number).case
