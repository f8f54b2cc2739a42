"""Picks the parser: the compiled leaf if it was built, else its pure twin."""

from __future__ import annotations

from tollkeeper.gate import heads

KIND = "pure"
parse_request = heads.parse_request
parse_response = heads.parse_response
Chunks = heads.Chunks

__all__ = ["KIND", "Chunks", "parse_request", "parse_response"]
