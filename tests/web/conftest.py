"""The little world, for every test of a page that needs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from tests.services.money import open_till
from tests.web.story import Story, tell
from tollkeeper.flows.policy_change import load_policy


@pytest.fixture
def story(transactional_db: None, tmp_path: Path) -> Iterator[Story]:
    with open_till(tmp_path) as till:
        load_policy(settings.ENV.shop / "policy.toml")
        yield tell(till)
