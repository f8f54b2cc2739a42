"""A till for the flows of money."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.money import Till, open_till


@pytest.fixture
def till(transactional_db: None, tmp_path: Path) -> Iterator[Till]:
    with open_till(tmp_path) as opened:
        yield opened
