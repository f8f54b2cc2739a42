"""The audit trail: pseudonyms only, chained, signed daily, verifiable, droppable by segment."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from tollkeeper.kit import append_only, audit
from tollkeeper.kit.trail.models import AuditHead, Entry, Tip
from tollkeeper.kit.trail.subjects import entries

pytestmark = pytest.mark.django_db
DAY = dt.date(2026, 11, 23)


@pytest.fixture(autouse=True)
def _anchors(tmp_path, monkeypatch):
    monkeypatch.setattr(audit, "anchor_file", lambda: tmp_path / "anchors" / "audit.log")


def three() -> list[int]:
    return [audit.record("ticket.read", object=f"support.Ticket:{number}") for number in range(3)]


def test_entries_are_numbered_without_gaps_and_verify():
    assert three() == [1, 2, 3]
    verdict = audit.verify_trail()
    assert verdict.ok
    assert verdict.entries == 3


def test_a_transaction_that_fails_leaves_no_entry_and_no_gap():
    three()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        audit.record("ticket.read")
        _ = 1 / 0
    assert audit.record("ticket.read") == 4
    assert audit.verify_trail().ok


@pytest.mark.parametrize("part", ["object", "actor", "note", "verb"])
@pytest.mark.parametrize("text", ["jane@doe.example", "a message of somebody", "名字"])
def test_words_of_people_never_enter(part, text):
    values = {"verb": "ticket.read", part: text}
    with pytest.raises(audit.NotACode):
        audit.record(values.pop("verb"), **values)
    assert not Entry.objects.exists()


def test_a_subject_is_a_stable_random_pseudonym_until_forgotten():
    subject = uuid.uuid4()
    audit.record("export.build", subject=subject)
    audit.record("export.download", subject=subject, actor=audit.person(subject))
    names = set(Entry.objects.values_list("subject", flat=True))
    assert len(names) == 1
    assert subject.hex not in names.pop()
    assert entries(subject).count() == 2
    assert audit.forget_person(subject)
    assert entries(subject).count() == 0
    assert audit.verify_trail().ok
    assert not audit.forget_person(subject)


def test_a_changed_entry_is_found():
    three()
    Entry.objects.filter(seq=2).update(verb="ticket.none")
    assert audit.verify_trail().broken == 2


def test_a_cut_end_is_found_even_if_the_tip_is_set_back():
    three()
    audit.sign_head(DAY)
    last = Entry.objects.get(seq=2)
    Entry.objects.filter(seq=3).delete()
    Tip.objects.update(seq=2, mac=last.mac)
    AuditHead.objects.all().delete()
    verdict = audit.verify_trail()
    assert verdict.broken == 3
    assert verdict.reason == "the end was cut off"


def test_a_head_is_signed_once_a_day_and_anybody_can_check_it():
    three()
    head = audit.sign_head(DAY)
    audit.record("ticket.read")
    assert audit.sign_head(DAY) == head
    assert len(audit.anchor_file().read_text().splitlines()) == 1
    published = audit.published_heads()[0]
    arguments = (DAY, "daily", published["seq"], published["mac"], published["signature"])
    assert audit.check_signature(*arguments, audit.public_key())
    assert not audit.check_signature(DAY, "daily", 4, *arguments[3:], audit.public_key())


def test_a_forged_head_is_found():
    three()
    audit.sign_head(DAY)
    path = audit.anchor_file()
    path.write_text(path.read_text().replace('"seq": 3', '"seq": 2'))
    assert audit.verify_trail().reason == "a head was not signed by us"


def test_no_entry_no_head():
    assert audit.sign_head(DAY) is None
    assert audit.verify_trail().ok


def test_an_old_segment_is_dropped_and_the_rest_still_verifies():
    append_only.install()
    three()
    assert audit.drop_segment(timezone.now().date() + dt.timedelta(days=1), DAY) == 3
    audit.record("ticket.read")
    verdict = audit.verify_trail()
    assert verdict.ok
    assert verdict.entries == 1
    assert AuditHead.objects.get(kind="closing").seq == 3


def test_the_database_refuses_to_change_the_trail():
    append_only.install()
    three()
    for attempt in (Entry.objects.filter(seq=1).delete, lambda: Entry.objects.update(verb="x")):
        with pytest.raises(DatabaseError, match="only grows"), transaction.atomic():
            attempt()
