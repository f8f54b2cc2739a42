from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tollkeeper.cli import home
from tollkeeper.core.refusal import Refused


def test_a_home_is_private(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        home.prepare(tmp_path / "deep" / "home")
        assert (tmp_path / "deep" / "home").stat().st_mode & 0o777 == 0o700
        assert not list((tmp_path / "deep" / "home").glob(".probe*"))
    finally:
        os.umask(before)


def test_one_home_is_held_once(tmp_path: Path) -> None:
    descriptor = home.hold(tmp_path)
    home.write_run_file(tmp_path, {"pid": 42, "addresses": {"storefront": "http://127.0.0.1:8000/"}})
    with pytest.raises(Refused, match=r"process 42.*8000"):
        home.hold(tmp_path)
    os.close(descriptor)
    os.close(home.hold(tmp_path))


def test_a_broken_run_file_is_no_run_file(tmp_path: Path) -> None:
    assert home.read_run_file(tmp_path) is None
    home.run_file(tmp_path).write_text('{"pid": ')
    assert home.read_run_file(tmp_path) is None
    home.run_file(tmp_path).write_text("[]")
    assert home.read_run_file(tmp_path) is None
    home.write_run_file(tmp_path, {"pid": 1})
    assert home.read_run_file(tmp_path) == {"pid": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
    assert json.loads(home.run_file(tmp_path).read_text()) == {"pid": 1}
