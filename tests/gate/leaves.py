"""Loads a compiled leaf of the gate, whatever the gate of this process runs."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from tollkeeper.gate import build, compiled


def load_leaf(name: str) -> ModuleType:
    """The leaf, compiled now if need be; skips the test where nothing can be compiled."""
    trouble = build.obstacle()
    if trouble:
        pytest.skip(trouble)
    assert build.build(only_parser=True) == ""
    [path] = compiled.parser_folder().glob(f"{name}*.so")
    spec = importlib.util.spec_from_file_location(f"tollkeeper.gate.{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
