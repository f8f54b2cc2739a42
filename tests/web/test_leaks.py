"""The place for reports of leaked keys: signed ones stop keys, everything else is told what is wrong."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.http import HttpResponse
from django.test import Client

from tests.services.lines import PRO, customer
from tollkeeper.delivery import services as delivery
from tollkeeper.delivery.models import KeyEntry
from tollkeeper.flows import reporters
from tollkeeper.web import leaks

pytestmark = pytest.mark.django_db
REPORTER, STRANGER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
PEM = (
    REPORTER.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporters, "public_keys", lambda key_id: {"kid": PEM})


def post(body: bytes, key: ec.EllipticCurvePrivateKey = REPORTER, **headers: str) -> HttpResponse:
    signature = base64.b64encode(key.sign(body, ec.ECDSA(hashes.SHA256()))).decode()
    given = {"Github-Public-Key-Identifier": "kid", "Github-Public-Key-Signature": signature, **headers}
    answer = Client(enforce_csrf_checks=True).post(
        "/hooks/leaks", body, content_type="application/json", headers=given
    )
    assert isinstance(answer, HttpResponse)
    return answer


def finding(token: str) -> dict[str, str]:
    return {"token": token, "type": "tk", "url": "https://example.invalid/a/b.txt", "source": "content"}


def test_a_signed_report_stops_the_key_and_is_labelled() -> None:
    key_id, text = delivery.create_key(customer(), name="laptop", terms=PRO)
    answer = post(json.dumps([finding(text.text), finding("tk_live_nonsense")]).encode())
    assert answer.status_code == 200
    assert json.loads(answer.content) == [
        {"token_raw": text.text, "token_type": "tk", "label": "true_positive"},
        {"token_raw": "tk_live_nonsense", "token_type": "tk", "label": "false_positive"},
    ]
    assert answer["Cache-Control"] == "no-store"
    assert KeyEntry.objects.get(pk=key_id).state == "revoked"


@pytest.mark.parametrize(
    ("body", "key", "headers", "status"),
    [
        (b"[]", STRANGER, {}, 401),
        (b"[]", REPORTER, {"Github-Public-Key-Identifier": "other"}, 401),
        (b"[]", REPORTER, {"Github-Public-Key-Identifier": ""}, 401),
        (b"[]", REPORTER, {"Github-Public-Key-Signature": ""}, 401),
        (b"[]", REPORTER, {"Github-Public-Key-Signature": "§"}, 401),
        (b"{}", REPORTER, {}, 400),
        (b"", REPORTER, {}, 400),
        (b" " * (leaks.MAX_BODY + 1), REPORTER, {}, 413),
        (json.dumps([finding("x")] * 501).encode(), REPORTER, {}, 413),
    ],
)
def test_bad_reports_are_told_and_change_nothing(
    body: bytes, key: ec.EllipticCurvePrivateKey, headers: dict[str, str], status: int
) -> None:
    key_id, _ = delivery.create_key(customer(), name="laptop", terms=PRO)
    answer = post(body, key, **headers)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert json.loads(answer.content)["title"].endswith(".")
    assert KeyEntry.objects.get(pk=key_id).state == "active"


def test_a_report_that_cannot_be_checked_is_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(key_id: str) -> None:
        raise reporters.NoKeys

    monkeypatch.setattr(reporters, "public_keys", none)
    answer = post(b"[]")
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0


def test_it_is_asked_by_post_only() -> None:
    assert Client().get("/hooks/leaks").status_code == 405
