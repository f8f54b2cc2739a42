"""A letter and its answer: clocks of the policy, mails with what belongs in them, no words in jobs."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import time_machine
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.flows import helpdesk
from tollkeeper.kit import sealed
from tollkeeper.kit.job_kinds import KINDS
from tollkeeper.kit.models import Job
from tollkeeper.privacy import policy_store
from tollkeeper.privacy.canary import Scanner
from tollkeeper.support import queries as tickets
from tollkeeper.support.models import Ticket

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)
POLICY = Path(__file__).resolve().parents[2] / "shops" / "twtapi" / "policy.toml"
WORDS = "Canary words of a letter"


@pytest.fixture(autouse=True)
def _policy(monkeypatch):
    monkeypatch.setattr(policy_store, "_evidence", [])
    policy_store.store_policy(POLICY)


def work() -> None:
    """Do the waiting jobs of this room, once each."""
    for row in Job.objects.filter(state="ready", kind__startswith="mail_").order_by("pk"):
        KINDS[row.kind].run(None, **row.payload)
        Job.objects.filter(pk=row.pk).update(state="done")


def stranger(**extra: object) -> str:
    return helpdesk.write("Title", WORDS, contact="stranger@example.org", **extra)  # type: ignore[arg-type]


def test_a_stranger_gets_a_receipt_with_a_link_and_then_the_answer(mailoutbox):
    number = stranger()
    work()
    (receipt,) = mailoutbox
    assert receipt.to == ["stranger@example.org"]
    assert number in receipt.subject
    link = helpdesk.guest_link(number)
    assert link in receipt.body
    assert WORDS not in receipt.body
    assert tickets.check_guest(number, link.rstrip("/").rsplit("/", 1)[1])
    assert tickets.find_ticket(number).acknowledged_at is not None

    agent = accounts.create_person("agent@example.org", None)
    helpdesk.answer(number, "Our canary answer", agent.pk)
    work()
    assert "Our canary answer" in mailoutbox[1].body
    assert link in mailoutbox[1].body


def test_a_customer_is_told_that_there_is_an_answer_and_reads_it_in_the_console(mailoutbox):
    ada = accounts.create_person("ada@example.org", None)
    number = helpdesk.write("Title", WORDS, customer_id=accounts.ensure_customer(ada), owner=ada.pk)
    helpdesk.answer(number, "Our canary answer", ada.pk)
    work()
    assert [message.to for message in mailoutbox] == [["ada@example.org"]] * 2
    assert "Our canary answer" not in mailoutbox[1].body
    assert f"/console/support/{number}/" in mailoutbox[1].body


def test_the_clock_is_that_of_the_policy():
    question, complaint = stranger(), stranger(complaint=True)
    days = {
        number: (row.due_at - row.opened_at).days
        for number in (question, complaint)
        if (row := tickets.find_ticket(number))
    }
    assert days == {question: 3, complaint: 14}
    helpdesk.write_back(complaint, "More")
    assert tickets.find_ticket(complaint).state == "open"


def test_nothing_that_people_wrote_is_in_a_job_or_in_clear():
    number = stranger()
    helpdesk.write_back(number, "Canary second")
    found = list(Scanner([WORDS, "canary second", "stranger@example.org"]).scan_database("default"))
    assert found == []


def test_an_erased_writer_gets_no_mail_and_the_job_ends(mailoutbox):
    number = stranger()
    sealed.destroy(Ticket.objects.get(number=number).case)
    work()
    assert mailoutbox == []


def test_late_complaints_are_told_once_a_day_by_number(mailoutbox):
    number = stranger(complaint=True)
    stranger()
    work()
    mailoutbox.clear()
    helpdesk.remind_complaints(None)
    assert not Job.objects.filter(kind="mail_late_complaints").exists()
    with time_machine.travel(timezone.now() + dt.timedelta(days=15)):
        helpdesk.remind_complaints(None)
        helpdesk.remind_complaints(None)
        assert Job.objects.filter(kind="mail_late_complaints").count() == 1
        work()
    (mail,) = mailoutbox
    assert mail.to == ["support@twtapi.example"]
    assert number in mail.body
    assert WORDS not in mail.body
