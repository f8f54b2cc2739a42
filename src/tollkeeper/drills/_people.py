"""People as a shop has them: account, keys, orders, refunds, letters, calls, sessions, choices."""

from __future__ import annotations

import datetime as dt
import random
import uuid
import zlib
from dataclasses import dataclass, field

import msgspec
from allauth.usersessions.models import UserSession
from django.db.models import Sum
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.models import User
from tollkeeper.accounts.sessions import SessionStore
from tollkeeper.core.terms import MICRO, KeyTerms, LineTerms
from tollkeeper.delivery import services as delivery
from tollkeeper.kit import audit, mail
from tollkeeper.outbox import services as outbox
from tollkeeper.payments import buyers, documents, statutory
from tollkeeper.payments.models import Attempt, Document, Payer, Refund
from tollkeeper.privacy import choices
from tollkeeper.sales.models import Order, OrderLine
from tollkeeper.support import services as support
from tollkeeper.usage import services as usage
from tollkeeper.usage.models import Call, Day, Entry, Grant

_TERMS = msgspec.json.encode(LineTerms(plan="pro", provisioner="gate_key", key=KeyTerms(plan="pro"))).decode()


@dataclass(eq=False)
class Person:
    """One invented customer and what must not be found once they are erased."""

    subject: uuid.UUID
    customer: int
    needles: dict[str, str] = field(default_factory=dict)


def make(number: int, chance: random.Random) -> Person:
    """A person with a bit of everything; amounts and dates by chance."""
    word = f"{number}x{chance.randrange(16**10):010x}"
    needles = {
        "address": f"canary.{word}@example.org",
        "nickname": f"Nick {word[::-1]}",
        "letter": f"letter of {word}q",
        "browser": f"Canary-{word}/2.0",
        "session": f"session of {word}z",
        "buyer": f"Buyer {word}b GmbH",
        "street": f"Street {word}s",
        "webhook": f"https://hook-{word}.example.org/told",
    }
    user = accounts.create_person(needles["address"], None)
    customer = accounts.ensure_customer(user)
    accounts.set_nickname(user.pk, needles["nickname"])
    _, key = delivery.create_key(customer, name=needles["nickname"], terms=KeyTerms(plan="drill"))
    needles["key"] = key.text
    support.open_ticket("drill", needles["letter"], customer_id=customer, owner=user.pk)
    choices.choose("object", "improve", subject=user.pk, source="console", text="Leave my calls out.")
    audit.record("drill.read", subject=user.pk, actor=audit.person(user.pk))
    _sign_in(user, needles)
    buyers.set_buyer(
        customer, name=needles["buyer"], address=needles["street"], country="AT", now=timezone.now()
    )
    outbox.add_endpoint(customer, user.pk, needles["webhook"], ("order", "quota"))
    _buy(customer, number, chance)
    _call(customer, chance)
    mail.send("ticket_answer", needles["address"], {"number": "T-1", "link": "https://example.org/t"})
    return Person(user.pk, customer, needles)


def _sign_in(user: User, needles: dict[str, str]) -> None:
    session = SessionStore()
    session["account_verified_email"] = needles["address"]
    session["word"] = needles["session"]
    session.save()
    UserSession.objects.create(
        user=user, session_key=session.session_key, ip="198.51.100.77", user_agent=needles["browser"], data={}
    )


def _buy(customer: int, number: int, chance: random.Random) -> None:
    for turn in range(chance.randint(1, 3)):
        total = chance.randrange(500, 20_000)
        refunded = total // 2 if chance.random() < 0.3 else 0
        order = Order.objects.create(
            customer_id=customer,
            offer=f"plan/{number}/{turn}",
            lifecycle="closed",
            money="paid",
            currency="EUR",
            total_minor=total,
            captured_minor=total,
            refunded_minor=refunded,
            created_at=timezone.now() - dt.timedelta(days=chance.randrange(700)),
        )
        OrderLine.objects.create(
            order=order, title="Pro", plan="pro", plan_version=1, price="month", amount_minor=total,
            terms=_TERMS,
        )  # fmt: skip
        attempt = Attempt.objects.create(
            order=order, provider="stripe", state="succeeded", reference=f"cs_{number}_{turn}",
            asked_minor=total, amount_minor=total, currency="EUR",
        )  # fmt: skip
        issued = order.created_at + dt.timedelta(hours=1)
        facts = {"currency": "EUR", "total_minor": total, "tax_minor": total // 6}
        document, _ = documents.issue("receipt", "DRILL-2026", order.pk, facts, now=issued)
        buyers.freeze(document.pk, customer, issued)
        outbox.announce(customer, "order.paid", f"drill:{order.pk}", {"order": order.number}, timezone.now())
        if refunded:
            back = Refund.objects.create(
                order=order, attempt=attempt, state="succeeded", origin="operator", reason="asked",
                amount_minor=refunded, currency="EUR", reference=f"re_{number}_{turn}",
            )  # fmt: skip
            note = documents.correct(
                "credit_note", "DRILL-C2026", order.pk,
                {"currency": "EUR", "total_minor": -refunded, "tax_minor": -(refunded // 6)},
                now=issued, refund_id=back.pk, corrects_id=document.pk,
            )  # fmt: skip
            buyers.freeze(note.pk, customer, issued)
    Payer.objects.create(customer_id=customer, provider="stripe", reference=f"cus_drill{number}")
    usage.issue_grant(
        key=f"drill:{customer}", customer_id=customer, unit="calls", amount=chance.randint(1, 900) * MICRO,
        effective_at=timezone.now(), source="drill",
    )  # fmt: skip


def _call(customer: int, chance: random.Random) -> None:
    now = timezone.now()
    Call.objects.bulk_create(
        Call(
            request_id=f"req_{customer}_{turn}", gate_id="gate-1", key_id=customer, customer_id=customer,
            route="posts", method="GET", status=200, outcome=0, unit="calls", units=MICRO, bytes_in=100,
            bytes_out=900, latency_us=1500, called_at=now - dt.timedelta(hours=chance.randrange(24 * 29)),
        )
        for turn in range(chance.randint(1, 12))
    )  # fmt: skip
    Day.objects.create(
        customer_id=customer, day=now.date(), key_id=customer, route="posts", unit="calls", ok=1
    )  # fmt: skip


def sums() -> dict[str, int]:
    """What no erasure may change: the money and the units of the whole shop."""
    papers = ((Document, "total_minor"), (Document, "tax_minor"))
    columns = (*papers, (Order, "total_minor"), (Order, "captured_minor"), (Order, "refunded_minor"))
    more = ((OrderLine, "amount_minor"), (Attempt, "amount_minor"), (Refund, "amount_minor"))
    found = {
        f"{model.__name__}.{column}": int(model._base_manager.aggregate(n=Sum(column))["n"] or 0)
        for model, column in (*columns, *more, (Grant, "amount"), (Grant, "remaining"))
    }
    for account, total in Entry.objects.values_list("account").annotate(n=Sum("amount")):
        found[f"Entry.{account}"] = int(total)
    prints = "".join(Document.objects.order_by("pk").values_list("sha256", flat=True))
    return {
        **found,
        "orders": Order.objects.count(),
        "entries": Entry.objects.count(),
        "documents": zlib.crc32(prints.encode()),
    }


def papers_of(person: Person) -> list[int]:
    """The documents that were issued to a person."""
    return list(Document.objects.filter(order__customer_id=person.customer).values_list("pk", flat=True))


def vault_lost(papers: dict[Person, list[int]]) -> int:
    """How many documents the statutory vault cannot name the buyer of."""
    lost = 0
    for person, documents_of in papers.items():
        for document in documents_of:
            try:
                lost += statutory.open_entry(document)["name"] != person.needles["buyer"]
            except statutory.Closed:
                lost += 1
    return lost
