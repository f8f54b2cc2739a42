"""Where the compiled parts lie, and how the gate comes to use them.

A build lies in a folder whose name is a hash of all it was made from, so a build of
other sources, another Python or another machine is never even looked at: then the
plain modules run, which do the same. ``TOLLKEEPER_PURE=1`` asks for those.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import platform
import re
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The package's folder."""
LEAVES = (Path("gate/_heads.c"), Path("gate/_chunks.c"), Path("gate/_sockets.c"))
_HEADERS = (Path("gate/_fields.h"),)
MODULES = tuple(
    Path(name)
    for name in (
        "core/limits.py",
        "core/records.py",
        "gate/admission.py",
        "gate/call.py",
        "gate/directory.py",
        "gate/lease_book.py",
        "gate/journal.py",
        "gate/metrics.py",
        "gate/routes.py",
        "gate/wire/link.py",
        "gate/wire/sockets.py",
        "gate/wire/reader.py",
        "gate/wire/gatherer.py",
        "gate/wire/client.py",
        "gate/wire/behind.py",
        "gate/wire/response.py",
        "gate/wire/upstream.py",
        "gate/wire/pool.py",
        "gate/wire/engine.py",
    )
)
"""What a call passes through, and nothing that runs but now and then; classes below theirs too."""
PACKAGES = ("core", "gate", "gate/wire")


_from_core = re.compile(r"^ *from tollkeeper\.(core[\w.]*) import (\w+(?:, \w+)*|\()", re.MULTILINE).findall


def sources() -> list[Path]:
    """Everything that a build depends on, below :data:`ROOT`: the gate, and what it imports of the core."""
    found = {*LEAVES, *_HEADERS}
    left = [*(ROOT / "gate").rglob("*.py"), *(ROOT / "core" / "meters").glob("*.py")]
    while left:
        path = left.pop()
        found.add(path.relative_to(ROOT))
        for module, names in _from_core(path.read_text()):
            place = ROOT / module.replace(".", "/")
            modules = [place.with_suffix(".py"), *(place / f"{name}.py" for name in names.split(", "))]
            left += [file for file in modules if file.is_file() and file.relative_to(ROOT) not in found]
    return sorted({Path("core/__init__.py"), *found})


def _base() -> Path:
    place = os.environ.get("TOLLKEEPER_COMPILED")
    return Path(place) if place else ROOT.parents[1] / "build" / "compiled"


def _key(paths: list[Path]) -> str:
    digest = hashlib.sha256(f"{platform.machine()} {sysconfig.get_config_var('EXT_SUFFIX')}".encode())
    for path in paths:
        digest.update(str(path).encode() + (ROOT / path).read_bytes())
    return digest.hexdigest()[:20]


def parser_folder() -> Path:
    """Where the compiled parser of the present source lies, whether there is one or not."""
    return _base() / f"parser-{_key([*LEAVES, *_HEADERS])}"


def folder() -> Path:
    """Where a build of all present sources lies, whether there is one or not."""
    return _base() / f"gate-{_key(sources())}"


def tools_folder(lock: Path) -> Path:
    """Where mypyc lies, if it was fetched by this list for this Python."""
    digest = hashlib.sha256(f"{sys.executable} {sys.version}".encode() + lock.read_bytes())
    return _base() / f"tools-{digest.hexdigest()[:20]}"


def _trouble_file() -> Path:
    return _base() / f"trouble-{_key(sources())}"


def note_trouble(why: str) -> None:
    """Remember why the present sources could not be compiled; an empty text forgets it."""
    try:
        if why:
            _trouble_file().write_text(why)
        else:
            _trouble_file().unlink(missing_ok=True)
    except OSError:
        return  # it is told again where it is tried again


def trouble() -> str:
    """Why the present sources could not be compiled when it was last tried; empty if it was not."""
    try:
        return _trouble_file().read_text()
    except OSError:
        return ""


def asked_for_plain() -> str:
    """Why nothing compiled shall run; empty if it may."""
    return "TOLLKEEPER_PURE is set" if os.environ.get("TOLLKEEPER_PURE") else ""


def kind() -> str:
    """Which build would run: ``compiled``, ``parser`` (only the parser is compiled) or ``pure``."""
    if asked_for_plain() or not parser_folder().is_dir():
        return "pure"
    return "compiled" if folder().is_dir() else "parser"


def activate() -> str:
    """Let imports find the build, if there is one. Before anything else of the gate is imported."""
    found = kind()
    if found == "pure":
        return found
    gate = importlib.import_module("tollkeeper.gate")
    gate.__path__.insert(0, str(parser_folder()))
    if found == "compiled":
        place = folder()
        for name in PACKAGES:
            package = importlib.import_module("tollkeeper." + name.replace("/", "."))
            package.__path__.insert(0, str(place / "tollkeeper" / name))
        sys.path.append(str(place))  # the group module of a mypyc build stands at the top
    return found
