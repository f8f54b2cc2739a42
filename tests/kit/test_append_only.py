"""Tables that only grow, on the book of this run."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from tollkeeper.kit import append_only
from tollkeeper.kit.trail.models import Disclosure

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _guards():
    append_only.install()


def disclosure() -> Disclosure:
    return Disclosure.objects.create(
        at=timezone.now(), processor="stripe", purpose="order", fields="amount", size=3, outcome="sent"
    )


def test_rows_can_be_added_and_neither_changed_nor_deleted():
    row = disclosure()
    for attempt in (
        lambda: Disclosure.objects.filter(pk=row.pk).update(fields="email"),
        lambda: Disclosure.objects.filter(pk=row.pk).delete(),
        lambda: connection.cursor().execute("UPDATE trail_disclosure SET size = 0"),
    ):
        with pytest.raises(DatabaseError, match="only grows"), transaction.atomic():
            attempt()
    assert Disclosure.objects.get().fields == "amount"


def test_a_column_that_may_change_changes():
    row = disclosure()
    Disclosure.objects.filter(pk=row.pk).update(subject=None)


def test_a_clearance_opens_one_table_for_one_transaction_and_closes_again():
    row = disclosure()
    with transaction.atomic(), append_only.cleared("trail_disclosure", "retention"):
        Disclosure.objects.filter(pk=row.pk).update(size=9)
    with pytest.raises(DatabaseError), transaction.atomic():
        Disclosure.objects.filter(pk=row.pk).update(size=1)
    assert Disclosure.objects.get().size == 9


def test_a_clearance_for_another_table_does_not_help():
    row = disclosure()
    with (
        pytest.raises(DatabaseError),
        transaction.atomic(),
        append_only.cleared("trail_entry", "retention"),
    ):
        Disclosure.objects.filter(pk=row.pk).delete()


def test_missing_triggers_are_named_and_installing_twice_is_fine():
    assert append_only.missing() == ()
    where = "" if connection.vendor == "sqlite" else " ON trail_entry"
    connection.cursor().execute(f"DROP TRIGGER guard_trail_entry_delete{where}")
    assert append_only.missing() == ("guard_trail_entry_delete",)
    append_only.install()
    assert append_only.missing() == ()
