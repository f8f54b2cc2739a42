"""A key found in public is revoked and its owner told; nobody can stop keys by guessing."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.services.lines import PRO, customer
from tollkeeper.core.keys import digest, mint
from tollkeeper.core.terms import encode
from tollkeeper.delivery import services as delivery
from tollkeeper.delivery.models import Delivery, KeyEntry
from tollkeeper.flows import leaks
from tollkeeper.flows.leaks import BadReport, Token
from tollkeeper.kit import job_runner
from tollkeeper.kit.models import Job
from tollkeeper.kit.trail.models import Entry

pytestmark = pytest.mark.django_db
REPORTER = ec.generate_private_key(ec.SECP256R1())
KNOWN = {
    "kid": REPORTER.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
}


def signed(body: bytes) -> str:
    return base64.b64encode(REPORTER.sign(body, ec.ECDSA(hashes.SHA256()))).decode()


def test_a_real_key_is_revoked_once_and_its_owner_told(tmp_path: Path, settings) -> None:
    settings.MAIL_FOLDER = tmp_path
    settings.EMAIL_BACKEND = "tollkeeper.kit.mail.FileBackend"
    key_id, text = delivery.create_key(customer(), name="laptop", terms=PRO)
    other, _ = delivery.create_key(customer(), name="other", terms=PRO)
    body = json.dumps([{"token": text.text, "type": "tollkeeper_key", "url": "https://x.invalid/a"}]).encode()
    found = leaks.read_report(body, "kid", signed(body), KNOWN)
    [first] = leaks.take_report(found)
    [second] = leaks.take_report(found)
    assert (first.real, first.revoked, second.real, second.revoked) == (True, True, True, False)
    assert {row.pk: row.state for row in KeyEntry.objects.all()} == {key_id: "revoked", other: "active"}
    while (context := job_runner.claim(["mail_leak"])) is not None:
        assert job_runner.run(context) == "done"
    [letter] = [path.read_text() for path in tmp_path.glob("*.eml")]
    assert text.text not in letter
    assert Entry.objects.filter(verb="key.leaked").count() == 1


def test_what_is_no_key_of_ours_changes_nothing() -> None:
    delivery.create_key(customer(), name="a", terms=PRO)
    stranger = mint(b"x" * 32).text
    verdicts = leaks.take_report(
        [Token("hello"), Token(stranger), Token("tk_live_" + "0" * 38), Token("é" * 46)]
    )
    assert not any(verdict.real for verdict in verdicts)
    assert KeyEntry.objects.get().state == "active"


@pytest.mark.parametrize(
    ("body", "key_id", "signature", "status"),
    [
        (b"[]", "nobody", None, 401),
        (b"[]", "kid", "not base 64!", 401),
        (b"[]", "kid", base64.b64encode(b"x" * 70).decode(), 401),
        (b"{}", "kid", None, 400),
        (b'[{"token": 1}]', "kid", None, 400),
        (b"\xff\xfe", "kid", None, 400),
        (json.dumps([{"token": "x"}] * 501).encode(), "kid", None, 413),
    ],
)
def test_bad_reports_are_refused(body: bytes, key_id: str, signature: str | None, status: int) -> None:
    with pytest.raises(BadReport) as refused:
        leaks.read_report(body, key_id, signature or signed(body), KNOWN)
    assert refused.value.status == status


def test_a_report_signed_for_another_body_is_refused() -> None:
    with pytest.raises(BadReport):
        leaks.read_report(b"[]", "kid", signed(b"[ ]"), KNOWN)


def test_a_broken_published_key_is_no_signature() -> None:
    with pytest.raises(BadReport) as refused:
        leaks.read_report(b"[]", "kid", signed(b"[]"), {"kid": "no PEM"})
    assert refused.value.status == 401


def test_a_key_at_any_relay_is_known_by_its_keyed_hash_and_replaced(tmp_path: Path, settings) -> None:
    settings.MAIL_FOLDER = tmp_path
    settings.EMAIL_BACKEND = "tollkeeper.kit.mail.FileBackend"
    secret = "sk-leaked-at-a-relay"
    row = Delivery.objects.create(
        line_id=77,
        customer_id=customer(),
        provisioner="litellm",
        alias="ord-77",
        unit="usd",
        terms=encode(PRO),
        target="relay",
        label="tkx-77-1",
        handle="12",
        hint="sk-…elay",
        digest=digest(secret.encode(), settings.KEY_PEPPER),
        state="delivered",
    )
    [first] = leaks.take_report([Token(secret, "x")])
    [second] = leaks.take_report([Token(secret, "x")])
    assert (first.real, first.revoked, second.real, second.revoked) == (True, True, True, False)
    [work] = Job.objects.filter(kind="replace_key")
    assert secret not in str(work.payload)
    assert Entry.objects.filter(verb="key.leaked", object=f"delivery.Delivery:{row.pk}").count() == 1
    while (context := job_runner.claim(["mail_relay_leak"])) is not None:
        assert job_runner.run(context) == "done"
    [letter] = [path.read_text() for path in tmp_path.glob("*.eml")]
    assert secret not in letter
