"""The fixed words of the rendered policy, per language, read once."""

from __future__ import annotations

import datetime as dt
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "zh")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


class Phrases:
    """Words of one language: ``p("section.use")``, ``p("clock.months", n=1)``."""

    def __init__(self, language: str, tree: dict[str, Any]) -> None:
        self.language = language
        self._flat: dict[str, str] = {}
        self._flatten(tree, "")

    def _flatten(self, tree: dict[str, Any], path: str) -> None:
        for key, value in tree.items():
            name = f"{path}.{key}" if path else key
            if isinstance(value, dict):
                self._flatten(value, name)
            else:
                self._flat[name] = value

    def __call__(self, name: str, /, **values: object) -> str:
        """The phrase called ``name``; raises ``KeyError`` if there is none."""
        n = values.get("n")
        if n == 1 and f"{name}_one" in self._flat:
            name = f"{name}_one"
        return self._flat[name].format(**values)

    def find(self, name: str) -> str | None:
        """The phrase, or None."""
        return self._flat.get(name)

    @property
    def names(self) -> frozenset[str]:
        """All names there are."""
        return frozenset(self._flat)

    def country(self, code: str) -> str:
        """The name of a country; its code where we know no name."""
        return self._flat.get(f"country.{code}", code)

    def date(self, day: dt.date) -> str:
        """A date as people of the language write it."""
        if self.language == "zh":
            return f"{day.year}年{day.month}月{day.day}日"
        return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"

    def days(self, count: int) -> str:
        """A period of days in words: years and months where it is a whole number of them."""
        if count and count % 365 == 0:
            return self("period.years", n=count // 365)
        return self("period.days", n=count)

    @property
    def comma(self) -> str:
        return self("mark.comma")

    @property
    def semicolon(self) -> str:
        return self("mark.semicolon")


@cache
def load(language: str) -> Phrases:
    """The phrases of ``en`` or ``zh``; raises ``FileNotFoundError`` for another language."""
    folder = Path(__file__).parent
    tree: dict[str, Any] = {}
    for path in (folder / f"{language}.toml", *sorted(folder.glob(f"{language}-*.toml"))):
        tree |= tomllib.loads(path.read_text(encoding="utf-8"))
    return Phrases(language, tree)
