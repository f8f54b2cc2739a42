"""What is wrong in a shop's files: where, why, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tollkeeper.core.refusal import Refused
from tollkeeper.core.toml_lines import LineIndex, Path


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake. ``path`` is dotted, ``line`` counts from 1 and is None for the file as a whole."""

    file: str
    path: str
    line: int | None
    message: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        head = f"{place}: {self.path}: " if self.path else f"{place}: "
        return f"{head}{self.message} — {self.remedy}" if self.remedy else head + self.message


class BadShop(Refused):
    """A shop's files cannot be used; ``mistakes`` are all of them, in the order of the file."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes, key=lambda m: (m.file, m.line or 0, m.path)))
        count = len(self.mistakes)
        super().__init__(
            f"{count} mistake{'s' * (count > 1)} in the shop's files:\n" + "\n".join(map(str, self.mistakes))
        )


def dotted(path: Path) -> str:
    """``("plans", "pro", "prices", 0)`` → ``plans.pro.prices[0]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def from_pydantic(error: Mapping[str, Any], file: str, lines: LineIndex) -> Mistake:
    """Pydantic's finding in our words."""
    kind, context = error["type"], error.get("ctx") or {}
    path: Path = tuple(
        part for part in error["loc"] if part != "[key]" and not str(part).startswith("function-")
    )
    message, remedy = error["msg"], str(context.get("remedy", ""))
    if kind == "missing":
        message, remedy = "is missing", f"add {path[-1]!r} to {_table(path[:-1])}"
    elif kind == "extra_forbidden":
        message, remedy = "is not known", "correct its spelling or remove it"
    elif kind == "literal_error":
        message, remedy = f"{error['input']!r} is not allowed", f"use {context['expected']}"
    elif kind.endswith("_type"):
        wanted = {"int_type": "a whole number", "bool_type": "true or false", "list_type": "a list [ … ]"}
        wanted |= {"string_type": "text in quotes", "dict_type": "a table", "model_type": "a table"}
        message = f"must be {wanted.get(kind, kind.removesuffix('_type'))}, not {_shown(error['input'])}"
        remedy = remedy or "correct the value"
    elif not remedy:
        message, remedy = message[0].lower() + message[1:], "correct the value"
    return Mistake(file, dotted(path), lines.find(path), message, remedy)


def _table(path: Path) -> str:
    return f"[{dotted(path)}]" if path else "the top of the file"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
