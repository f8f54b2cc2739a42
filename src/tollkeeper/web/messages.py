"""Translations: what the source asks to be translated, and the catalogs compiled from ``.po`` files.

Neither needs a tool of the system. ``python -m tollkeeper.web.messages`` brings the ``.po``
files up to date with the source; the running program compiles them when they are newer.
"""

from __future__ import annotations

import ast
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import polib  # type: ignore[import-untyped]
from django.utils.translation.template import templatize

SOURCE = Path(__file__).resolve().parents[1]
CATALOGS = Path(__file__).resolve().parent / "locale"
_ONE = {"_", "gettext", "gettext_lazy"}
_MANY = {"ngettext", "ngettext_lazy"}
log = logging.getLogger("tollkeeper.messages")

Message = tuple[str, str]
"""A text and its plural, which is empty if it has none."""


def wanted() -> dict[Message, list[str]]:
    """Every text of the source that is to be translated, with the files in which it stands."""
    found: dict[Message, list[str]] = {}
    for path in sorted(SOURCE.rglob("*")):
        if path.suffix == ".py" and "migrations" not in path.parts:
            messages = in_python(path.read_text())
        elif path.suffix in {".html", ".txt"} and "templates" in path.parts:
            messages = in_template(path.read_text())
        else:
            continue
        for message in messages:
            places = found.setdefault(message, [])
            place = path.relative_to(SOURCE).as_posix()
            if place not in places:
                places.append(place)
    return found


def in_python(text: str) -> Iterator[Message]:
    """The messages of a Python file: calls of gettext's functions with literal texts."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        texts = [
            arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
        ]
        if node.func.id in _ONE and len(texts) >= 1:
            yield texts[0], ""
        elif node.func.id in _MANY and len(texts) >= 2:
            yield texts[0], texts[1]


def in_template(text: str) -> Iterator[Message]:
    """The messages of a template, as Django itself finds them."""
    for line in templatize(text).splitlines():
        for call in _calls(line):
            yield from in_python(call)


def _calls(line: str) -> Iterator[str]:
    """Calls in templatize's output: Python between placeholders of other text."""
    for match in re.finditer(r"(?<![\w.])(?:ngettext|gettext|_)\(", line):
        for end in (m.end() for m in re.finditer(r"\)", line[match.start() :])):
            candidate = line[match.start() : match.start() + end]
            try:
                ast.parse(candidate)
            except SyntaxError:
                continue
            yield candidate
            break


def update(path: Path) -> polib.POFile:
    """Bring one ``.po`` file up to date: new texts empty, gone texts removed, the rest kept."""
    catalog = polib.pofile(str(path)) if path.exists() else polib.POFile()
    known = {(entry.msgid, entry.msgid_plural): entry for entry in catalog}
    fresh = polib.POFile()
    fresh.metadata = catalog.metadata or {
        "Content-Type": "text/plain; charset=utf-8",
        "Content-Transfer-Encoding": "8bit",
        "Language": path.parts[-3],
        "Plural-Forms": "nplurals=1; plural=0;",
    }
    for (one, many), places in sorted(wanted().items()):
        entry = known.get((one, many)) or polib.POEntry(
            msgid=one, msgid_plural=many, msgstr="", msgstr_plural={0: ""} if many else {}
        )
        entry.occurrences = [(place, "") for place in places]
        entry.flags = ["python-format"] if re.search(r"%\(\w+\)[sd]|%[sd]", one) else []
        fresh.append(entry)
    return fresh


def compile_catalogs(folder: Path = CATALOGS) -> None:
    """Write the binary catalogs whose texts are newer; where that is not allowed, English remains."""
    for po in folder.glob("*/LC_MESSAGES/*.po"):
        mo = po.with_suffix(".mo")
        if mo.exists() and mo.stat().st_mtime_ns >= po.stat().st_mtime_ns:
            continue
        part = mo.with_suffix(f".{os.getpid()}.part")
        try:
            part.write_bytes(polib.pofile(str(po)).to_binary())
            part.replace(mo)
        except OSError as error:
            log.warning("translations are not compiled: %s", error)


if __name__ == "__main__":
    for file in CATALOGS.glob("*/LC_MESSAGES/*.po"):
        update(file).save(str(file))
