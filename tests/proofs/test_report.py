"""The signed document of a run."""

import copy

import pytest

from tollkeeper.kit import audit
from tollkeeper.privacy import proof_runs
from tollkeeper.proofs import daily, report

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])


def test_a_document_is_genuine_until_somebody_changes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    document = daily.run_and_keep()
    key = document["public_key"]
    assert report.genuine(document, key)
    for change in (
        lambda d: d["rows"][0].update(status="PROVEN!"),
        lambda d: d["counts"].update(broken=-1),
        lambda d: d.update(ok="yes"),
        lambda d: d.update(signature="00"),
        lambda d: d.update(digest="0" * 64),
    ):
        forged = copy.deepcopy(document)
        change(forged)
        assert not report.genuine(forged, key)
    assert not report.genuine(document, "ab" * 32)
    assert not report.genuine(document, "nonsense")


def test_a_kept_run_is_chained_into_the_trail() -> None:
    document = daily.run_and_keep()
    last = proof_runs.last_run()
    assert last is not None
    assert last.digest == document["digest"]
    assert last.broken == document["counts"]["broken"] == len(last.broken_ids)
    assert len(proof_runs.list_runs()) == 1
    assert audit.verify_trail().ok
