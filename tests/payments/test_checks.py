"""What does not fit together is said before money moves."""

from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings

from tollkeeper.payments import checks


def ids(monkeypatch: pytest.MonkeyPatch, live: bool = False, **options: Any) -> list[str]:
    monkeypatch.setattr(settings, "ENV", replace(settings.ENV, live=live))
    monkeypatch.setattr(settings, "PAYMENT_OPTIONS", {"stripe": options})
    return [str(message.id) for message in checks.check_stripe()]


def test_a_whole_installation_has_nothing_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ids(monkeypatch, key="sk_test_x", secrets=("s",), base="http://127.0.0.1") == []
    assert ids(monkeypatch, live=True, key="rk_live_x", secrets=("s",)) == []
    assert ids(monkeypatch) == []


def test_what_does_not_fit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ids(monkeypatch, key="sk_live_x", secrets=("s",)) == ["payments.E2"]
    assert ids(monkeypatch, live=True, key="sk_test_x", secrets=("s",)) == ["payments.E2"]
    assert ids(monkeypatch, live=True, key="sk_live_x", secrets=("s",), base="http://x") == ["payments.E3"]
    assert ids(monkeypatch, key="sk_test_x") == ["payments.W1"]


def test_another_version_of_the_sdk_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "SDK_VERSION", "2099-01-01.other")
    assert ids(monkeypatch) == ["payments.E1"]
