"""Whom invoices are made out to: sealed, optional, frozen with each document."""

from __future__ import annotations

import datetime as dt
import json
import re

from django.db import transaction
from django.db.models import Q

from tollkeeper.core.cards import strike_cards
from tollkeeper.kit.sealed import ErasedText
from tollkeeper.payments import statutory
from tollkeeper.payments.models import Buyer, DocumentBuyer

_COUNTRY = re.compile(r"[A-Z]{2}")
_VAT = re.compile(r"[A-Z]{2}[0-9A-Z+*]{2,13}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


class BadBuyer(ValueError):
    """``field`` cannot be printed on an invoice; the text says why."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


@transaction.atomic
def set_buyer(
    customer_id: int, *, name: str, address: str, country: str, vat_id: str = "", now: dt.datetime
) -> Buyer:
    """Say whom invoices are made out to. Raises :class:`BadBuyer`.

    A changed number has to be checked again before it has an effect on the tax.
    """
    name, address = _clean("name", name, 120), _clean("address", address, 400)
    country, vat_id = country.strip().upper(), re.sub(r"[\s.-]", "", vat_id).upper()
    if _COUNTRY.fullmatch(country) is None:
        raise BadBuyer("country", "a country has two letters")
    if vat_id and _VAT.fullmatch(vat_id) is None:
        raise BadBuyer("vat_id", "a VAT number begins with two letters and has 4 to 15 characters")
    row = Buyer.objects.select_for_update().filter(customer_id=customer_id).first()
    row = row or Buyer(customer_id=customer_id)
    if not vat_id:
        row.vat_state, row.vat_checked_at = "none", None
    elif row.pk is None or row.vat_id != vat_id or row.country != country:
        row.vat_state, row.vat_checked_at = "unchecked", None
    row.name, row.address, row.country, row.vat_id = name, address, country, vat_id or None
    row.updated_at = now
    row.save()
    return row


@transaction.atomic
def note_vat(customer_id: int, valid: bool, now: dt.datetime, *, number: str | None = None) -> bool:
    """Keep what the register said of the number, and when.

    ``number`` is the one that was asked for: an answer about another one than the buyer has
    now says nothing, and False is answered.
    """
    row = Buyer.objects.select_for_update().filter(customer_id=customer_id).exclude(vat_state="none").first()
    if row is None or (number is not None and row.vat_id != number):
        return False
    row.vat_state, row.vat_checked_at = "valid" if valid else "invalid", now
    row.save(update_fields=["vat_state", "vat_checked_at"])
    return True


def vat_to_check(customer_id: int, before: dt.datetime | None = None) -> str:
    """The number that waits to be looked up, or was found valid ``before`` then; or empty text."""
    wanted = Q(vat_state="unchecked")
    if before is not None:
        wanted |= Q(vat_state="valid", vat_checked_at__lt=before)
    row = Buyer.objects.filter(wanted, customer_id=customer_id).first()
    if row is None or row.vat_id is None or isinstance(row.vat_id, ErasedText):
        return ""
    return row.vat_id


def forget_buyer(customer_id: int) -> None:
    """Drop the details; what documents have frozen stays for its statutory term."""
    Buyer.objects.filter(customer_id=customer_id).delete()


def tax_facts(customer_id: int) -> tuple[str, bool]:
    """(country of the buyer or empty text, True if its number was found valid)."""
    row = Buyer.objects.filter(customer_id=customer_id).values_list("country", "vat_state").first()
    return (row[0], row[1] == "valid") if row else ("", False)


def find_buyer(customer_id: int) -> dict[str, str] | None:
    """The buyer's details as they are now, for the form."""
    row = Buyer.objects.filter(customer_id=customer_id).first()
    if row is None or isinstance(row.name, ErasedText):
        return None
    return {
        "name": row.name,
        "address": row.address,
        "country": row.country,
        "vat_id": row.vat_id or "",
        "vat_state": row.vat_state,
        "vat_checked_at": row.vat_checked_at.isoformat() if row.vat_checked_at else "",
    }


def freeze(document_id: int, customer_id: int, now: dt.datetime) -> None:
    """Put the buyer's present details beside a document that is being issued, once."""
    found = find_buyer(customer_id)
    if found is not None and not DocumentBuyer.objects.filter(document_id=document_id).exists():
        text = json.dumps(found, sort_keys=True, ensure_ascii=False)
        DocumentBuyer.objects.create(document_id=document_id, body=text, created_at=now)
        statutory.lay_in(document_id, text, now)


def buyer_of(document_id: int) -> dict[str, str]:
    """The buyer's details as a document froze them; empty if it has none or they are gone."""
    row = DocumentBuyer.objects.filter(document_id=document_id).first()
    if row is None or isinstance(row.body, ErasedText):
        return {}
    return dict(json.loads(row.body))


def _clean(field: str, text: str, longest: int) -> str:
    lines = [" ".join(_CONTROL.sub(" ", line).split()) for line in text.splitlines()]
    clean = "\n".join(line for line in lines if line)
    if not clean:
        raise BadBuyer(field, "this is needed on an invoice")
    if len(clean) > longest:
        raise BadBuyer(field, f"at most {longest} characters")
    return strike_cards(clean)[:longest]
