"""What is not an event of the provider is answered clearly and leaves nothing behind."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client

from samples.fakestripe.courier import sign
from tests.services.money import SECRET, open_till
from tollkeeper.kit.models import Job
from tollkeeper.payments.models import InboxEvent

EVENT = {
    "id": "evt_1",
    "object": "event",
    "type": "checkout.session.completed",
    "created": 1_700_000_000,
    "livemode": False,
    "api_version": "2026-10-28.endive",
    "data": {"object": {"id": "cs_1", "customer_details": {"email": "planted@example.org"}}},
}


@pytest.fixture(autouse=True)
def shop(transactional_db: None, tmp_path: Path) -> Iterator[None]:
    with open_till(tmp_path):
        yield


def post(body: bytes, signature: str | None = None, at: int | None = None, client: Client | None = None):  # type: ignore[no-untyped-def]
    stamp = int(time.time()) if at is None else at
    header = sign(body, SECRET, stamp) if signature is None else signature
    return (client or Client()).post(
        "/hooks/stripe", body, content_type="application/json", headers={"Stripe-Signature": header}
    )


def whole(**changes: object) -> bytes:
    return json.dumps({**EVENT, **changes}).encode()


def test_an_event_is_kept_without_its_content() -> None:
    answer = post(whole())
    assert (answer.status_code, answer.json()) == (200, {"received": True, "new": True})
    row = InboxEvent.objects.get()
    assert (row.event_id, row.object_id, row.state) == ("evt_1", "cs_1", "received")
    assert "planted" not in json.dumps(
        [list(InboxEvent.objects.values()), list(Job.objects.values())], default=str
    )
    assert Job.objects.get(kind="take_event").payload == {"inbox_id": row.pk}


def test_the_same_event_again_makes_no_second_job() -> None:
    post(whole())
    assert post(whole()).json()["new"] is False
    assert InboxEvent.objects.count() == Job.objects.filter(kind="take_event").count() == 1


@pytest.mark.parametrize("key", ["id", "type", "data", "created", "livemode"])
def test_an_event_without_a_needed_part_is_refused(key: str) -> None:
    body = json.dumps({k: v for k, v in EVENT.items() if k != key}).encode()
    assert_refused(post(body))


def assert_refused(answer, status: int = 400) -> None:  # type: ignore[no-untyped-def]
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"]
    assert InboxEvent.objects.count() == Job.objects.filter(kind="take_event").count() == 0


@pytest.mark.parametrize("shift", [-301, 301, 86_400])
def test_old_and_future_events_are_refused(shift: int) -> None:
    assert_refused(post(whole(), at=int(time.time()) + shift))


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "t=1",
        "v1=abc",
        "t=x,v1=abc",
        "t=1,t=2,v1=a",
        "garbage",
        "t=1700000000,v0=abc",
        "t=9999999999999,v1=a",
    ],
)
def test_broken_signatures_are_refused(signature: str) -> None:
    assert_refused(post(whole(), signature=signature))


def test_a_forged_event_is_refused() -> None:
    body = whole()
    assert_refused(post(body, signature=sign(body, "whsec_other", int(time.time()))))


def test_a_tampered_event_is_refused() -> None:
    signature = sign(whole(), SECRET, int(time.time()))
    assert_refused(post(whole(id="evt_2"), signature=signature))


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe{}", b'{"id":"\xc3("}', whole()[:-20], b"[" * 100_000],
    ids=["empty", "open", "list", "null", "text", "bom", "bad-utf8", "truncated", "deep"],
)
def test_what_is_no_event_is_refused_even_when_signed(body: bytes) -> None:
    assert_refused(post(body))


def test_an_oversized_event_is_refused_unread() -> None:
    assert_refused(post(b" " * (256 * 1024 + 1)), 413)


def test_an_event_of_the_other_mode_is_refused() -> None:
    answer = post(whole(livemode=True))
    assert_refused(answer)
    assert answer.json()["code"] == "wrong_mode"


def test_two_secrets_are_taken_while_one_is_replaced() -> None:
    body, stamp = whole(), int(time.time())
    other, ours = sign(body, "whsec_old", stamp), sign(body, SECRET, stamp)
    assert post(body, signature=f"{other},{ours.split(',')[1]}").status_code == 200


def test_other_providers_and_methods_are_refused() -> None:
    assert Client().get("/hooks/stripe").status_code == 405
    assert Client().post("/hooks/nobody", b"{}", content_type="application/json").status_code == 404
    assert_refused(Client().post("/hooks/free", b"{}", content_type="application/json"))


def test_an_unknown_object_is_acknowledged_and_worked_off_without_effect() -> None:
    assert post(whole(type="radar.early_fraud_warning.created")).status_code == 200
