"""Numbers have no gaps, documents never change."""

from __future__ import annotations

import hashlib
import threading

import pytest
from django.db import connections, transaction

from tests.services.money import Till, open_till
from tollkeeper.payments import documents
from tollkeeper.payments.models import Document, IssuedDocumentChanged
from tollkeeper.sales.models import Order

FACTS = {"currency": "USD", "total_minor": 500, "tax_minor": 0, "lines": []}


@pytest.fixture
def till(transactional_db, tmp_path):  # type: ignore[no-untyped-def]
    with open_till(tmp_path) as opened:
        yield opened


def orders(till: Till, count: int) -> list[int]:
    return [Order.objects.get(number=till.order(till.customer())).pk for _ in range(count)]


def issue(order_id: int) -> Document:
    with transaction.atomic():
        return documents.issue("receipt", "S-2027", order_id, FACTS, now=till_now())[0]


def till_now():  # type: ignore[no-untyped-def]
    from django.utils import timezone  # noqa: PLC0415

    return timezone.now()


def test_numbers_are_gapless_even_at_once_and_after_failures(till: Till) -> None:
    ids, wrong = orders(till, 8), []

    def one(order_id: int) -> None:
        try:
            issue(order_id)
        except Exception as error:  # noqa: BLE001 - shown below
            wrong.append(error)
        finally:
            connections.close_all()

    with transaction.atomic():
        documents.issue("receipt", "S-2027", ids[0], FACTS, now=till_now())
        transaction.set_rollback(True)  # what was drawn in vain comes back
    threads = [threading.Thread(target=one, args=(order_id,)) for order_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert sorted(Document.objects.values_list("number", flat=True)) == list(range(1, 9))


def test_an_order_has_one_invoice_however_often_it_is_asked(till: Till) -> None:
    (order_id,) = orders(till, 1)
    assert issue(order_id).pk == issue(order_id).pk


def test_an_issued_document_neither_changes_nor_goes(till: Till) -> None:
    made = issue(orders(till, 1)[0])
    with pytest.raises(IssuedDocumentChanged):
        made.save()
    with pytest.raises(IssuedDocumentChanged):
        made.delete()
    assert made.sha256 == hashlib.sha256(made.snapshot.encode()).hexdigest()
    assert made.label == "S-2027-000001"
