"""A till for the flows of money, and a shop that sells keys of a relay."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.utils import timezone

from tests.contracts.test_provisioners import Line
from tests.services.money import Till, open_till
from tests.services.relay_shop import BUILD, Shop
from tollkeeper.core.terms import TargetTerms
from tollkeeper.delivery import registry
from tollkeeper.delivery.provisioners import Door
from tollkeeper.flows import relaying


@pytest.fixture
def till(transactional_db: None, tmp_path: Path) -> Iterator[Till]:
    with open_till(tmp_path) as opened:
        yield opened


@pytest.fixture(params=sorted(BUILD))
def shop(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any
) -> Iterator[Shop]:
    settings.MAIL_FOLDER = tmp_path
    settings.EMAIL_BACKEND = "tollkeeper.kit.mail.FileBackend"
    make, build, options = BUILD[request.param]
    relay = make()
    relay.spend_delay_s = 0
    target = TargetTerms("there", "x", "http://relay.test/keys", "X", resale_allowed=True, options=options)
    if request.param != "webhook":
        target = msgspec.structs.replace(target, url="http://relay.test")

    monkeypatch.setattr(relaying, "_targets", lambda: ["there"])
    monkeypatch.setattr(relaying, "counts_otherwise", lambda name, unit: False)
    with registry.stand_in("there", build(Door(timezone.now, target, "adm", Line(relay.app)))):
        yield Shop(relay, target)
