"""The little world, for every test of a page that needs it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.money import open_till
from tests.web.story import Story, tell


@pytest.fixture
def story(transactional_db: None, tmp_path: Path) -> Iterator[Story]:
    with open_till(tmp_path) as till:
        yield tell(till)
