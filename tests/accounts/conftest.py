"""The ways through the account without the shop's look: plain pages of allauth, our mails."""

from collections.abc import Iterator
from pathlib import Path

import allauth
import pytest
from django.conf import settings
from django.test import override_settings

import tollkeeper

_CODE = Path(tollkeeper.__file__).parent


@pytest.fixture
def plain_pages() -> Iterator[None]:
    (engine,) = settings.TEMPLATES
    folders = [
        _CODE / "accounts" / "templates",
        _CODE / "kit" / "templates",
        Path(allauth.__file__).parent / "templates",
    ]
    processors = [name for name in engine["OPTIONS"]["context_processors"] if name.startswith("django.")]
    plain = {**engine, "APP_DIRS": False, "DIRS": folders, "OPTIONS": {"context_processors": processors}}
    with override_settings(TEMPLATES=[plain]):
        yield
