"""One address of the call log opens to an operator with a reason, and the trail knows."""

from __future__ import annotations

import datetime as dt
import secrets
import uuid

import pytest
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.core.addresses import Agreement
from tollkeeper.core.refusal import Refused
from tollkeeper.flows import incident
from tollkeeper.kit import log_keys
from tollkeeper.kit.trail.models import Entry
from tollkeeper.usage.models import Call

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])
ADDRESS = "203.0.113.7"


@pytest.fixture
def me() -> uuid.UUID:
    return accounts.create_person("me@example.org", None, is_staff=True).pk


def call(*, at: dt.datetime | None = None, sealed: bool = True) -> str:
    at = at or timezone.now()
    log_keys.make_ahead(at.date(), 1)
    day = log_keys.day_number(at.date())
    public = log_keys.find_public(log_keys.CALLS, day) or b""
    token = Agreement(log_keys.CALLS, day, public, secrets.token_bytes(32)).seal(ADDRESS) if sealed else None
    name = f"req_{uuid.uuid4().hex[:24]}"
    Call.objects.create(
        request_id=name, gate_id="g", key_id=1, customer_id=1, route="r", method="GET", status=200, outcome=0,
        unit="calls", units=1, bytes_in=1, bytes_out=1, latency_us=1, called_at=at, sealed_address=token,
    )  # fmt: skip
    return name


def test_an_operator_with_a_reason_sees_it_and_the_trail_says_so(me: uuid.UUID) -> None:
    name = call()
    assert incident.open_caller(name, operator=me, reason="attack") == ADDRESS
    entry = Entry.objects.get(verb="log.address_opened")
    assert (entry.object, entry.fields, entry.note) == (f"usage.Call:{name}", "sealed_address", "attack")
    assert entry.actor.startswith("p_")
    assert ADDRESS not in str(Entry.objects.values())


def test_nobody_else_sees_it_and_nothing_is_opened(me: uuid.UUID) -> None:
    name = call()
    ada = accounts.create_person("ada@example.org", None).pk
    for operator, reason, why in ((ada, "attack", "operator"), (me, "curiosity", "reason")):
        with pytest.raises(Refused, match=why):
            incident.open_caller(name, operator=operator, reason=reason)
    with pytest.raises(Refused, match="no call"):
        incident.open_caller("req_none", operator=me, reason="attack")
    with pytest.raises(Refused, match="without an address"):
        incident.open_caller(call(sealed=False), operator=me, reason="attack")
    assert not Entry.objects.filter(verb="log.address_opened").exists()


def test_when_its_day_is_gone_nobody_sees_it(me: uuid.UUID) -> None:
    at = timezone.now() - dt.timedelta(days=3)
    name = call(at=at)
    log_keys.destroy(log_keys.CALLS, log_keys.day_number(at.date()) + 1)
    with pytest.raises(Refused, match="destroyed"):
        incident.open_caller(name, operator=me, reason="attack")
