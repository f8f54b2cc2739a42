"""Whom an invoice named outlives the person in a vault of its fiscal year, and ends with the year."""

from __future__ import annotations

import csv
import datetime as dt
import io
import uuid
import zipfile
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from tests.services.money import Till
from tollkeeper.accounts import queries as accounts
from tollkeeper.accounts import services as account_verbs
from tollkeeper.core.refusal import Refused
from tollkeeper.flows import authorities as demands
from tollkeeper.flows import erasure, retention, statutory
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit import sealed
from tollkeeper.kit.trail.models import Entry
from tollkeeper.payments import buyers, documents
from tollkeeper.payments import queries as payments
from tollkeeper.payments import statutory as vault
from tollkeeper.payments.models import Document, DocumentBuyer, VaultEntry
from tollkeeper.privacy import authorities, holds
from tollkeeper.privacy.canary import Scanner
from tollkeeper.sales.models import Order

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)

NAME, STREET = "Ada Planted GmbH", "Vaultstreet 77\nVienna"
DAYS = 2250


@pytest.fixture(autouse=True)
def policy() -> None:
    load_policy(settings.SHOP / "policy.toml")


def buyer_with_invoice(till: Till) -> tuple[uuid.UUID, int, str]:
    customer = till.customer()
    buyers.set_buyer(customer, name=NAME, address=STREET, country="AT", now=timezone.now())
    number = till.bought(customer)
    owner = accounts.get_customer(customer).owner_id
    assert owner is not None
    return owner, customer, number


def operator(name: str) -> uuid.UUID:
    return account_verbs.create_person(f"{name}@example.org", None, is_staff=True).pk


def audit_case(opened_by: uuid.UUID, year: int | None = None) -> str:
    return authorities.open_case(
        None, authority="Revenue", country="IE", ground="TCA 886", kind="books", record_sets=(),
        opened_by=opened_by, year=year or timezone.now().year,
    )  # fmt: skip


def agreed(case: str, second: uuid.UUID) -> None:
    demands.check(case, second, form=True, jurisdiction=True, treaty=True)


def age(days: int) -> None:
    """Let every document and its order be this old."""
    then = timezone.now() - dt.timedelta(days=days)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE payments_document SET issued_at = %s", [then])
    Order.objects.update(created_at=then)


def test_an_erased_persons_invoice_can_still_be_printed_for_an_audit(till: Till, tmp_path: Path) -> None:
    ada, _, number = buyer_with_invoice(till)
    order, document = Order.objects.get(number=number), Document.objects.get()
    before = (order.total_minor, order.captured_minor, document.total_minor, document.sha256)
    erasure.erase(ada)

    assert not DocumentBuyer.objects.exists()
    assert sealed.destroyed([ada]) == {ada}
    found = Scanner([NAME, "Vaultstreet 77", ada.hex, str(ada)]).scan_database("default")
    assert list(found) == []
    order, document = Order.objects.get(number=number), Document.objects.get()
    assert (order.total_minor, order.captured_minor, document.total_minor, document.sha256) == before
    assert accounts.get_customer(order.customer_id).owner_id is None

    me, you = operator("me"), operator("you")
    case = audit_case(me)
    with pytest.raises(Refused, match="two people"):
        statutory.list_books(case)
    with pytest.raises(Refused, match="another one"):
        agreed(case, me)
    agreed(case, you)
    with pytest.raises(Refused, match="two people"):
        statutory.pdf_for(case, me, document.label)
    assert demands.give(case, me, tmp_path / "books.zip") == 1
    with zipfile.ZipFile(tmp_path / "books.zip") as file:
        assert sorted(file.namelist()) == [f"{document.label}.pdf", "documents.csv"]
        (row,) = csv.DictReader(io.StringIO(file.read("documents.csv").decode()))
    assert (row["name"], row["address"], row["country"]) == (NAME, STREET, "AT")
    assert statutory.pdf_for(case, me, document.label).startswith(b"%PDF")
    reads = Entry.objects.filter(verb="vault.read")
    assert reads.count() == 2
    assert {one.object for one in reads} == {f"payments.Document:{document.label}"}
    assert list(Scanner([NAME]).scan_database("default")) == []


def test_the_vault_of_a_released_audit_closes_after_a_month(till: Till, tmp_path: Path) -> None:
    buyer_with_invoice(till)
    me, you = operator("me"), operator("you")
    case = audit_case(me)
    agreed(case, you)
    demands.give(case, me, tmp_path / "a.zip")
    later = timezone.now() + dt.timedelta(days=authorities.OPEN_DAYS + 1)
    with pytest.raises(Refused, match="open another case"):
        authorities.books_open(case, later)
    with pytest.raises(FileExistsError):
        demands.give(case, me, tmp_path / "a.zip")


def test_a_shop_of_one_may_agree_alone_and_the_trail_says_so(till: Till) -> None:
    me = operator("me")
    case = audit_case(me)
    agreed(case, me)
    assert Entry.objects.filter(verb="authority.alone").count() == 1


def test_another_year_stays_closed(till: Till, tmp_path: Path) -> None:
    buyer_with_invoice(till)
    me, you = operator("me"), operator("you")
    case = audit_case(me, timezone.now().year - 1)
    agreed(case, you)
    assert demands.give(case, me, tmp_path / "none.zip") == 0


def test_nothing_is_lost_where_a_backup_from_before_the_erasure_is_laid_back(till: Till) -> None:
    """The entry is written with the document, so a destroyed personal key does not take it along."""
    ada, _, _ = buyer_with_invoice(till)
    sealed.destroy(ada)
    assert buyers.buyer_of(Document.objects.get().pk) == {}
    assert vault.open_entry(Document.objects.get().pk)["name"] == NAME


def test_an_erasure_lays_in_what_is_missing(till: Till) -> None:
    ada, _, _ = buyer_with_invoice(till)
    VaultEntry.objects.all().delete()
    erasure.erase(ada)
    assert vault.open_entry(Document.objects.get().pk)["name"] == NAME


def test_after_the_period_the_years_key_is_destroyed(till: Till) -> None:
    ada, _, number = buyer_with_invoice(till)
    document = Document.objects.get().pk
    token = VaultEntry.objects.get().sealed_body
    year = timezone.now().year
    erasure.erase(ada)
    age(DAYS - 2)
    retention.run(timezone.now())
    assert VaultEntry.objects.count() == 1
    age(DAYS + 2)
    gone = retention.run(timezone.now())
    assert gone["payments.VaultEntry"] == gone["payments.Document"] == 1
    assert "fiscal years" not in gone  # the year itself is not over
    assert Order.objects.filter(number=number).exists()

    after = dt.datetime(year, 12, 31, tzinfo=dt.UTC) + dt.timedelta(days=DAYS + 2)
    assert statutory.end_years(after - dt.timedelta(days=3)) == []
    assert statutory.end_years(after) == [year]
    assert statutory.end_years(after) == []
    with pytest.raises(sealed.Erased):  # a row that a backup brings back says nothing
        sealed.open_sealed(vault.key_of(year), token, "payments.vaultentry.sealed_body")
    VaultEntry.objects.create(document_id=_document(number), year=year, sealed_body=token)
    with pytest.raises(vault.Closed):
        vault.open_entry(Document.objects.get().pk)
    assert document  # the document's own id never returns


def _document(number: str) -> int:
    order = Order.objects.get(number=number)
    facts = {"currency": "EUR", "total_minor": 1, "tax_minor": 0}
    with transaction.atomic():
        return documents.issue("receipt", "AGAIN", order.pk, facts, now=timezone.now())[0].pk


def test_an_audit_keeps_its_year_from_running_out(till: Till) -> None:
    buyer_with_invoice(till)
    age(DAYS + 2)
    year = Document.objects.get().issued_at.year
    case = audit_case(operator("me"), year)
    retention.run(timezone.now())
    assert VaultEntry.objects.count() == Document.objects.count() == 1
    far = timezone.now() + dt.timedelta(days=4000)
    VaultEntry.objects.update(year=year)
    assert year not in statutory.end_years(far)
    (order,) = holds.list_holds()
    assert (order.subject, order.year, order.ground) == (None, year, "tax_audit")
    erasure.release_hold(order.number)
    assert retention.run(timezone.now())["payments.VaultEntry"] == 1
    assert authorities.find_case(case) is not None


def test_an_order_that_loses_its_person_loses_the_buyer_too(till: Till) -> None:
    ada, customer, _ = buyer_with_invoice(till)
    age(1200)
    retention.run(timezone.now())
    assert payments.list_documents(customer) == ()
    assert not DocumentBuyer.objects.exists()
    assert vault.open_entry(Document.objects.get().pk)["name"] == NAME
    erasure.erase(ada)
    assert list(Scanner([ada.hex, str(ada)]).scan_database("default")) == []
