"""Every template can be read by the engine."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.template.loader import get_template

SOURCE = Path(__file__).resolve().parents[2] / "src" / "tollkeeper"
NAMES = sorted(
    str(path.relative_to(folder))
    for folder in SOURCE.rglob("templates")
    for path in folder.rglob("*")
    if path.suffix in {".html", ".txt"}
)


@pytest.mark.parametrize("name", NAMES)
def test_template_is_read(name: str) -> None:
    get_template(name)


def test_there_are_templates() -> None:
    assert NAMES
