from __future__ import annotations

import dataclasses
from pathlib import Path

from tollkeeper.cli.fingerprint import _files, fingerprint
from tollkeeper.config import environment


def test_it_changes_with_the_shop_and_the_addresses_alone(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text("a = 1")
    env = dataclasses.replace(environment.read(), shop=tmp_path)
    first = fingerprint(env)
    assert fingerprint(env) == first
    assert fingerprint(dataclasses.replace(env, port=env.port + 1)) != first
    assert fingerprint(dataclasses.replace(env, home=tmp_path)) == first
    (tmp_path / "shop.toml").write_text("a = 12")
    assert fingerprint(env) != first
    (tmp_path / "more.toml").write_text("")
    second = fingerprint(env)
    (tmp_path / "more.toml").unlink()
    assert fingerprint(env) != second


def test_what_the_pages_look_like_is_part_of_it() -> None:
    assert any(path.suffix == ".css" for path in _files(environment.read()))
