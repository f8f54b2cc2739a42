"""The page of proofs: what it tells, what it keeps back, and that a visitor can check it."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import urllib.request
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from tests.web.story import Strict
from tollkeeper.catalog.services import load_shop
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit import audit, log_keys
from tollkeeper.kit.trail.models import Entry
from tollkeeper.privacy import attestations, proof_runs
from tollkeeper.privacy.models import ProofRun
from tollkeeper.proofs import daily, report, running, vouching
from tollkeeper.web import trust

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])


_rows: list[running.Row] = []
"""One run of the probes is enough for all tests of this page; what it comes to is not theirs."""


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")
    running.load_probes()
    vouching.stand_in(timezone.now())
    log_keys.make_ahead(timezone.now().date())
    if not _rows:
        _rows.extend(running.run())
    monkeypatch.setattr(running, "run", lambda: _rows)


def page(**headers: str) -> str:
    answer = Client(headers=headers).get("/trust/")
    assert answer.status_code == 200
    assert not answer.cookies
    text = answer.content.decode()
    assert Strict(text).wrong == []
    return text


def keep(change: Any) -> None:
    """Keep a run whose public document says something else."""
    run = proof_runs.last_run()
    assert run is not None
    told = json.loads(run.document)
    change(told)
    ProofRun.objects.create(
        ran_at=run.ran_at + dt.timedelta(microseconds=1),
        proven=1, attested=0, broken=0, not_used=0, policy_hash=run.policy_hash, digest=run.digest,
        document=json.dumps(told), entry=1,
    )  # fmt: skip


def test_before_the_first_run_the_page_says_so(shop: None) -> None:
    assert "The first check has not run yet" in page()
    assert Client().get("/trust.json").status_code == 404


def test_every_promise_stands_there_with_its_status_and_age(shop: None) -> None:
    daily.run_and_keep()
    text = page()
    assert "All 40 promises hold" in text
    assert "Checked within the last hour" in text
    assert "Passwords are stored as Argon2id hashes only" in text
    assert text.count("trust-facts") == 40
    assert "a stand-in of this demonstration" in text
    chinese = page(Accept_Language="zh-hans")
    assert "密码仅以 Argon2id 哈希保存" in chinese


def test_the_footer_and_the_policy_lead_there(shop: None) -> None:
    for path in ("/plans/", "/privacy/"):
        assert b'href="/trust/"' in Client().get(path).content


def test_a_visitor_can_check_the_signature_and_a_changed_letter_fails(
    shop: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    daily.run_and_keep()
    told = Client().get("/trust.json")
    document = told.json()
    assert report.genuine(document, document["public_key"])
    script = trust.SCRIPT.format(address="https://shop.example/trust.json", key=document["public_key"])
    served = [told.content, told.content.replace(b'"PROVEN"', b'"proven"', 1)]
    monkeypatch.setattr(urllib.request, "urlopen", lambda _: io.BytesIO(served.pop(0)))
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(script, {})
    assert "'broken': 0" in said.getvalue()
    with pytest.raises(InvalidSignature):
        exec(script, {})


def test_the_run_is_an_entry_of_the_audit_trail(shop: None) -> None:
    whole = daily.run_and_keep()
    told = Client().get("/trust.json").json()
    entry = Entry.objects.get(seq=told["audit_entry"])
    assert (entry.verb, entry.note) == ("proofs.run", whole["digest"])
    assert told["full_digest"] == whole["digest"]
    assert audit.verify_trail().ok


def test_a_broken_promise_is_told_and_its_weak_spot_is_not(shop: None) -> None:
    daily.run_and_keep()

    def broken(told: dict[str, Any]) -> None:
        told["rows"][3] |= {"status": "BROKEN", "evidence": {}}

    keep(broken)
    text = page()
    assert "1 promise does not hold now" in text
    assert "until it is mended we say no more" in text


def test_a_word_that_ran_out_since_the_run_is_shown_broken(shop: None) -> None:
    daily.run_and_keep()
    yesterday = str(timezone.now().date() - dt.timedelta(days=1))
    keep(lambda told: next(r for r in told["rows"] if r["id"] == "T-19").update(until=yesterday))
    assert "1 promise does not hold now" in page()


def test_an_old_run_is_not_called_good(shop: None) -> None:
    daily.run_and_keep()
    late = timezone.now() + dt.timedelta(hours=49)
    with pytest.MonkeyPatch.context() as at:
        at.setattr(trust.timezone, "now", lambda: late)
        text = page()
    assert "The last check is too old" in text
    assert "promises hold" not in text


def test_the_stand_in_vouches_for_nothing_in_a_live_shop(shop: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert attestations.standing(["T-19"], live=False)
    assert not attestations.standing(["T-19"], live=True)
