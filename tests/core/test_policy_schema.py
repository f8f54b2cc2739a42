"""The whole tree: every part is required, and nothing else is taken."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tollkeeper.core.policy import BadPolicy, read_policy

TEXT = (Path(__file__).resolve().parents[2] / "shops" / "twtapi" / "policy.toml").read_text()


@pytest.mark.parametrize("gone", sorted(tomllib.loads(TEXT).keys() - {"history", "duties", "passing"}))
def test_every_part_is_required(gone):
    tree = tomllib.loads(TEXT)
    assert gone in tree
    with pytest.raises(BadPolicy) as caught:
        read_policy(TEXT.replace(f"[{gone}.", f"[x{gone}.").replace(f"[{gone}]", f"[x{gone}]"))
    assert gone in {mistake.path for mistake in caught.value.mistakes}
