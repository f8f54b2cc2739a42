"""``python -m tollkeeper.gate.build``: compile the gate's hot modules, as far as this machine can.

The head parser needs a C compiler and Python's headers, and a second. The rest also needs mypyc,
which no installation has: it is fetched by its own hash-locked list into a folder beside the
build, where nothing else sees it. Nothing depends on any of it: the plain modules do the same.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path

from tollkeeper.gate import compiled

TOOLS_LOCK = compiled.ROOT.parents[1] / "requirements-compile.lock"
_SETUP = """
from setuptools import setup
from mypyc.build import mypycify
setup(name="compiled", packages=[], ext_modules=mypycify({modules!r}, opt_level="3"))
"""


def _compiler() -> str | None:
    return shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")


def obstacle() -> str:
    """Why nothing can be compiled here; empty if it can."""
    if _compiler() is None:
        return "there is no C compiler"
    if not (Path(sysconfig.get_paths()["include"]) / "Python.h").exists():
        return "Python's header files are not installed"
    return ""


def _run(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if not done.returncode:
        return ""
    lines = (done.stdout + done.stderr).strip().splitlines()
    errors = [line.strip() for line in lines if "error" in line.lower() and "WARNING" not in line]
    told = errors[:3] or lines[-1:]
    return " / ".join(told) or f"{command[0]} ended with {done.returncode}"


def _build_leaves(part: Path) -> str:
    flags = ["-O2", "-fPIC", "-shared", "-fvisibility=hidden", f"-I{sysconfig.get_paths()['include']}"]
    for leaf in compiled.LEAVES:
        if leaf.stem == "_sockets" and sys.platform != "linux":  # epoll is Linux's
            continue
        target = part / f"{leaf.stem}{sysconfig.get_config_var('EXT_SUFFIX')}"
        trouble = _run([_compiler() or "cc", *flags, str(compiled.ROOT / leaf), "-o", str(target)], part)
        if trouble:
            return trouble
    return ""


def _fetch_tools(part: Path) -> str:
    """An environment with mypyc in it, from the locked list."""
    if not TOOLS_LOCK.exists():
        return f"mypyc is not installed, and {TOOLS_LOCK.name} is not here to fetch it by"
    trouble = _run([sys.executable, "-m", "venv", str(part / "venv")], part)
    if trouble:
        return f"no environment for mypyc could be made: {trouble}"
    fetch = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    locked = ["--require-hashes", "--only-binary", ":all:", "-r", str(TOOLS_LOCK)]
    trouble = _run([str(part / "venv" / "bin" / "python"), *fetch, *locked], part)
    return f"mypyc could not be fetched: {trouble}" if trouble else ""


def _python_with_tools() -> tuple[str, str]:
    """A Python that has mypyc, and why there is none."""
    if importlib.util.find_spec("mypyc") and importlib.util.find_spec("setuptools"):
        return sys.executable, ""
    place = compiled.tools_folder(TOOLS_LOCK)
    trouble = _into(place, _fetch_tools)
    return str(place / "venv" / "bin" / "python"), trouble


def _build_modules(part: Path) -> str:
    python, trouble = _python_with_tools()
    if trouble:
        return trouble
    scratch = part.with_name("scratch")
    for path in (Path("__init__.py"), Path("py.typed"), *compiled.sources()):
        target = scratch / "tollkeeper" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(compiled.ROOT / path, target)
    # Types of what we import are read where it is installed, which is not where mypyc is.
    flags = ["--config-file=", "--strict", f"--python-executable={sys.executable}"]
    modules = [*flags, *(f"tollkeeper/{path}" for path in compiled.MODULES)]
    (scratch / "setup.py").write_text(_SETUP.format(modules=modules))
    return _run([python, "setup.py", "build_ext", "--build-lib", str(part)], scratch)


def _into(place: Path, make: Callable[[Path], str]) -> str:
    """Make a folder whole or not at all; whoever else makes it at the same time makes the same."""
    if place.is_dir():
        return ""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="part-", dir=place.parent) as name:
            part = Path(name) / "new"
            part.mkdir()
            trouble = make(part)
            if not trouble and not place.is_dir():
                part.rename(place)
            return trouble
    except OSError as error:
        return "" if place.is_dir() else f"{place.parent}: {error.strerror}"


def build(*, only_parser: bool = False) -> str:
    """Compile what can be compiled; gives an empty text, or one sentence on what could not and why."""
    trouble = obstacle() or _into(compiled.parser_folder(), _build_leaves)
    if trouble:
        return f"nothing was compiled: {trouble}"
    if only_parser:
        return ""
    trouble = _into(compiled.folder(), _build_modules)
    compiled.note_trouble(trouble)
    return f"only the parser was compiled: {trouble}" if trouble else ""


def main() -> int:
    """Build and tell what became of it; 0 even if nothing was built, as nothing depends on it.

    ``--look`` builds nothing and only tells which build would run, and why no better one.
    """
    if "--look" in sys.argv:
        found = compiled.kind()
        why = "" if found == "compiled" else compiled.asked_for_plain() or obstacle() or compiled.trouble()
        sys.stdout.write(f"{found} {why}".strip() + "\n")
        return 0
    if "--gently" in sys.argv:
        os.nice(19)
    trouble = build(only_parser="--only-parser" in sys.argv)
    sys.stdout.write(f"{trouble or 'compiled'}\nthe gate will run: {compiled.kind()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
