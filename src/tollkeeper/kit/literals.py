"""Words of our own that stand in the SQL itself and not among its parameters.

SQLite uses a partial index only where it sees, while it plans, that the condition of the query
implies that of the index; a parameter tells it nothing. For constants of the source alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django.db.models import Value
from django.db.models.sql.compiler import SQLCompiler

_WORD = re.compile(r"[a-z_]+")


class Literal(Value):
    """A word written into the SQL. Raises ``ValueError`` for anything but small letters."""

    def __init__(self, word: str) -> None:
        if _WORD.fullmatch(word) is None:
            raise ValueError(f"{word!r} is no word of the source")
        super().__init__(word)

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, tuple[str | int, ...]]:
        return f"'{self.value}'", ()


def literals(words: Iterable[str]) -> list[Literal]:
    """The same for each of several, in their order, which must be that of the index."""
    return [Literal(word) for word in words]
