"""Picks the parser: the compiled twin if it was built from the present source, else the pure one.

``TOLLKEEPER_PURE=1`` asks for the pure one.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from tollkeeper.gate import heads
from tollkeeper.gate.build import source_hash


def _compiled() -> Any:
    if os.environ.get("TOLLKEEPER_PURE"):
        return None
    try:
        module = importlib.import_module("tollkeeper.gate._heads")
    except ImportError:
        return None
    return module if source_hash() == module.SOURCE else None


_leaf = _compiled()
KIND = "pure" if _leaf is None else "compiled"
"""Which one runs."""

if TYPE_CHECKING or _leaf is None:
    parse_request = heads.parse_request
    parse_response = heads.parse_response
    Chunks = heads.Chunks
else:
    parse_request = _leaf.parse_request
    parse_response = _leaf.parse_response
    Chunks = _leaf.Chunks

__all__ = ["KIND", "Chunks", "parse_request", "parse_response"]
