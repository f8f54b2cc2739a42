"""Picks the parser: the compiled twin if there is one for the present sources, else the pure one."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

from tollkeeper.gate import chunks, heads


def _compiled(name: str) -> Any:
    if os.environ.get("TOLLKEEPER_PURE"):
        return None
    try:
        return importlib.import_module(f"tollkeeper.gate.{name}")
    except ImportError:
        return None


_leaf, _chunks = _compiled("_heads"), _compiled("_chunks")
KIND = "pure" if _leaf is None else "compiled"
"""Which one runs."""

if TYPE_CHECKING or _leaf is None or _chunks is None:
    parse_request = heads.parse_request
    parse_response = heads.parse_response
    Chunks = chunks.Chunks
else:
    parse_request = _leaf.parse_request
    parse_response = _leaf.parse_response
    Chunks = _chunks.Chunks

__all__ = ["KIND", "Chunks", "parse_request", "parse_response"]
