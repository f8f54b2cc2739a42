"""A little world for pages: three people, and one of them has bought, called and been refused."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from html.parser import HTMLParser

from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.test import Client
from django.utils import timezone

from tests.services.money import Till
from tollkeeper.accounts import services as accounts
from tollkeeper.accounts.models import User
from tollkeeper.core.terms import MICRO
from tollkeeper.delivery import queries as delivery
from tollkeeper.sales import queries as sales
from tollkeeper.support import services as support
from tollkeeper.usage.models import Call, Day


@dataclass
class Story:
    """``owner`` has a paid plan, a key that waits to be shown, calls and a receipt."""

    till: Till
    owner: User
    other: User
    staff: User
    customer_id: int
    number: str
    unpaid: str
    key_id: int
    delivery_id: int
    ticket: str
    request_ids: list[str] = field(default_factory=list)

    def client(self, who: User | None = None, *, strict: bool = False) -> Client:
        """A browser signed in as somebody; ``strict`` demands the token of forms."""
        client = Client(enforce_csrf_checks=strict)
        if who is not None:
            client.force_login(who)
        return client


def tell(till: Till) -> Story:
    """Make the world."""
    owner, other, staff = (
        accounts.create_person(f"{name}@example.com", None) for name in ("owner", "other", "staff")
    )
    staff.is_staff = True
    staff.save()
    TOTP.activate(staff, generate_totp_secret())
    customer_id = accounts.ensure_customer(owner)
    number = till.order(customer_id, "pro")
    till.pay(number)
    till.deliver()
    till.work({"fulfil_line", "mail_delivery", "mail_receipt"})
    order = sales.get_order(customer_id, number)
    handed = delivery.find_delivery(order.lines[0].line_id)
    assert handed is not None, order
    assert handed.key_id is not None, handed
    story = Story(
        till=till,
        owner=owner,
        other=other,
        staff=staff,
        customer_id=customer_id,
        number=number,
        unpaid=till.order(customer_id, "pack-10k"),
        key_id=handed.key_id,
        delivery_id=handed.id,
        ticket=support.open_ticket("Slow today?", "It is.", customer_id=customer_id, owner=owner.pk),
    )
    _call(story)
    return story


def _call(story: Story, count: int = 60) -> None:
    now = timezone.now()
    for i in range(count):
        status = (200, 404, 502)[i % 3]
        request_id = f"req_{i:012d}"
        story.request_ids.append(request_id)
        Call.objects.create(
            request_id=request_id,
            gate_id="gate-1",
            key_id=story.key_id,
            customer_id=story.customer_id,
            route="get-post" if i % 2 else "trends",
            method="GET",
            status=status,
            outcome=i % 3,
            unit="calls",
            units=MICRO if status == 200 else 0,
            bytes_in=10,
            bytes_out=20,
            latency_us=1500,
            called_at=now - dt.timedelta(seconds=count - i),
        )
    Day.objects.create(
        customer_id=story.customer_id,
        day=now.date(),
        key_id=story.key_id,
        route="trends",
        unit="calls",
        ok=20,
        client_errors=20,
        server_errors=20,
        units=20 * MICRO,
        latency_us=60 * 1500,
    )


class Strict(HTMLParser):
    """Finds what the content security policy forbids, ids that stand twice, and bare form fields."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self._ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        for name, value in attrs:
            if name == "style" or name.startswith("on") or (value or "").startswith("javascript:"):
                self.wrong.append(f"<{tag} {name}={value}>")
        if tag == "style" or (
            tag == "script" and "src" not in facts and facts.get("type") != "application/json"
        ):
            self.wrong.append(f"<{tag}>")
        if (name := facts.get("id")) is not None:
            if name in self._ids:
                self.wrong.append(f"id {name!r} stands twice")
            self._ids.add(name)
