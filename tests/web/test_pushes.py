"""The place where relays say how keys are: what is refused says why, and nothing of it is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from samples.relays.own import SECRET, OwnSystem
from tests.contracts.test_provisioners import Line
from tests.flows.test_relay_pushes import PUSH, signed
from tollkeeper.core.terms import TargetTerms
from tollkeeper.delivery import registry
from tollkeeper.delivery.provisioners import Door, webhook
from tollkeeper.flows import relaying
from tollkeeper.web import pushes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def there(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(relaying, "counts_otherwise", lambda name, unit: False)
    target = TargetTerms("there", "webhook", "http://own.test/keys", "X", resale_allowed=True)
    door = Door(timezone.now, target, SECRET, Line(OwnSystem().app), push_secret=PUSH)
    with registry.stand_in("there", webhook.build(door)):
        yield


def message(**change: object) -> dict[str, object]:
    data = {"target": "there", "unit": "USD", "keys": []}
    return {"type": "keys.seen", "timestamp": timezone.now().isoformat(), "data": data, **change}


def post(body: object, path: str = "/hooks/relays/there", **more: str) -> HttpResponse:
    headers, raw = signed(body)
    answer = Client(enforce_csrf_checks=True).post(
        path, raw, content_type="application/json", headers={**headers, **more}
    )
    assert isinstance(answer, HttpResponse)
    return answer


def test_a_message_is_answered_with_what_came_of_it() -> None:
    answer = post(message())
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    assert json.loads(answer.content) == {"news": 0, "older": 0, "unknown": 0, "asked": 0}


@pytest.mark.parametrize(
    ("body", "more", "status"),
    [
        (message(), {"webhook-signature": "v1,bm8="}, 401),
        (message(type="other"), {}, 400),
        ([1, 2], {}, 400),
        (b"x" * (pushes.MAX_BODY + 1), {}, 413),
    ],
)
def test_bad_messages_are_told(body: object, more: dict[str, str], status: int) -> None:
    answer = post(body, **more)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json")
    assert json.loads(answer.content)["title"].endswith(".")


def test_nothing_is_expected_from_anybody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(name: str) -> None:
        raise relaying.NoTarget(name)

    monkeypatch.setattr(relaying, "provisioner", nobody)
    assert post(message(), "/hooks/relays/elsewhere").status_code == 404


def test_it_is_asked_by_post_only() -> None:
    assert Client().get("/hooks/relays/there").status_code == 405
