"""On which line of a TOML file a value stands.

``tomllib`` gives values without places. This walks over text that ``tomllib`` has
already accepted, so it need not judge, only follow: headers, keys, arrays and inline
tables. Paths are tuples of keys and list positions, as pydantic writes them.
"""

from __future__ import annotations

import tomllib

Path = tuple[str | int, ...]

_SPACE = " \t\r\n"
_QUOTES = ('"""', "'''", '"', "'")


class LineIndex:
    """Path → line, counted from 1; an unknown path answers with its nearest parent."""

    def __init__(self, lines: dict[Path, int]) -> None:
        self._lines = lines

    def find(self, path: Path) -> int | None:
        """The line of ``path`` or of the nearest thing around it; None for the empty path."""
        while path:
            if path in self._lines:
                return self._lines[path]
            path = path[:-1]
        return None

    def __contains__(self, path: Path) -> bool:
        return path in self._lines


def index(text: str) -> LineIndex:
    """Index valid TOML; raises ``tomllib.TOMLDecodeError`` for text that is not TOML."""
    tomllib.loads(text)
    walker = _Walker(text.replace("\r\n", "\n"))
    walker.document()
    return LineIndex(walker.lines)


class _Walker:
    def __init__(self, text: str) -> None:
        self.text, self.at, self.line = text, 0, 1
        self.lines: dict[Path, int] = {}
        self.counts: dict[Path, int] = {}
        """How many tables each array of tables has so far."""

    def document(self) -> None:
        table: Path = ()
        while self._skip():
            if self.text.startswith("[[", self.at):
                table = self._header(2)
            elif self.text[self.at] == "[":
                table = self._header(1)
            else:
                self._pair(table)

    def _move(self, count: int = 1) -> None:
        self.line += self.text.count("\n", self.at, self.at + count)
        self.at += count

    def _skip(self) -> bool:
        """Pass blanks and comments; False at the end of the text."""
        while self.at < len(self.text):
            if self.text[self.at] in _SPACE:
                self._move()
            elif self.text[self.at] == "#":
                end = self.text.find("\n", self.at)
                self._move((end if end >= 0 else len(self.text)) - self.at)
            else:
                return True
        return False

    def _note(self, path: Path) -> None:
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], self.line)

    def _header(self, brackets: int) -> Path:
        self._move(brackets)
        keys = self._keys()
        self._skip()
        path: Path = ()
        for position, key in enumerate(keys):
            path = (*path, key)
            if path in self.counts and (brackets == 1 or position < len(keys) - 1):
                path = (*path, self.counts[path] - 1)  # a table inside the array's newest one
        if brackets == 2:
            self.counts[path] = self.counts.get(path, 0) + 1
            path = (*path, self.counts[path] - 1)
        self._note(path)
        self._move(brackets)
        return path

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip()
            quote = self.text[self.at]
            if quote in "\"'":
                keys.append(self._string())
            else:
                start = self.at
                while self.text[self.at] not in " \t.=]":
                    self.at += 1
                keys.append(self.text[start : self.at])
            self._skip()
            if self.text[self.at] != ".":
                return keys
            self._move()

    def _pair(self, table: Path) -> None:
        start = self.line
        path = (*table, *self._keys())
        for length in range(1, len(path) + 1):
            self.lines.setdefault(path[:length], start)
        self._move()  # the equals sign
        self._skip()
        self._value(path)

    def _value(self, path: Path) -> None:
        first = self.text[self.at]
        if first == "[":
            self._array(path)
        elif first == "{":
            self._inline(path)
        elif first in "\"'":
            self._string()
        else:
            while self.at < len(self.text) and self.text[self.at] not in ",]}#\n":
                self.at += 1

    def _array(self, path: Path) -> None:
        self._move()
        position = 0
        while self._skip() and self.text[self.at] != "]":
            if self.text[self.at] == ",":
                self._move()
                continue
            self.lines[(*path, position)] = self.line
            self._value((*path, position))
            position += 1
        self._move()

    def _inline(self, path: Path) -> None:
        self._move()
        while self._skip() and self.text[self.at] != "}":
            if self.text[self.at] == ",":
                self._move()
                continue
            self._pair(path)
        self._move()

    def _string(self) -> str:
        quote = next(q for q in _QUOTES if self.text.startswith(q, self.at))
        start = self.at
        end = start + len(quote)
        while not self.text.startswith(quote, end):
            end += 2 if self.text[end] == "\\" and quote[0] == '"' else 1
        end += len(quote)
        if len(quote) == 3:  # up to two more quotes may belong to the text
            while self.text[end : end + 1] == quote[0]:
                end += 1
        self._move(end - start)
        text: str = tomllib.loads(f"key = {self.text[start:end]}")["key"]
        return text
