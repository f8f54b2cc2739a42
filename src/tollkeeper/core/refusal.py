"""How a verb says no to a person."""

from __future__ import annotations


class Refused(Exception):
    """What was asked cannot be done. The text is one sentence for whoever asked."""
