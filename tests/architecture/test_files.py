"""Sizes, names and places of the files."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "tollkeeper"
HARD_LIMIT = 400
FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc"}


def tracked(pattern: str) -> list[Path]:
    """Files under version control that match, migrations left out."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", pattern],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    paths = [ROOT / name.decode() for name in listed.stdout.split(b"\0") if name]
    return sorted({path for path in paths if "migrations" not in path.parts and path.exists()})


def test_no_file_is_longer_than_the_hard_limit() -> None:
    long = {str(path.relative_to(ROOT)): n for path in tracked("*.py") if (n := lines(path)) > HARD_LIMIT}
    assert not long, f"split by verb, not into a drawer: {long}"


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_no_file_is_a_drawer() -> None:
    assert not [
        str(path) for path in tracked("*.py") if path.stem in FORBIDDEN or path.parent.name in FORBIDDEN
    ]


def test_locks_carry_no_address() -> None:
    locks = [*tracked("*.lock")]
    assert len(locks) >= 3
    assert not [path.name for path in locks if "://" in path.read_text()]


def test_every_locked_package_has_a_hash() -> None:
    for path in tracked("*.lock"):
        for entry in re.split(r"\n(?=[a-zA-Z])", path.read_text().strip()):
            assert "--hash=sha256:" in entry, f"{path.name}: {entry.splitlines()[0]}"


def test_the_development_lock_contains_the_runtime_lock() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^[a-z0-9-]+==\S+", (ROOT / name).read_text(), re.MULTILINE))

    assert pins("requirements.lock") <= pins("requirements-dev.lock")


def test_tests_mirror_the_source() -> None:
    """``tests/core/test_keys.py`` belongs to ``core/keys.py``: a moved file takes its tests along.

    A test of a room as a whole says so: its first words are "Whole room".
    """
    strays = []
    for path in tracked("tests/*.py"):
        place = path.relative_to(ROOT / "tests")
        room = SOURCE / place.parts[0]
        if not path.name.startswith("test_") or not room.is_dir():
            continue
        folder = SOURCE / place.parent
        subject = path.stem.removeprefix("test_")
        known = [file.stem for file in folder.glob("*") if file.suffix == ".py" or file.is_dir()]
        whole = path.read_text().startswith('"""Whole room')
        if not whole and not any(subject == name or subject.startswith(f"{name}_") for name in known):
            strays.append(str(place))
    assert not strays


def test_every_core_file_has_tests() -> None:
    """What decides about money and units is never left untested."""
    tested = {path.stem.removeprefix("test_") for path in tracked("tests/core/**")}
    names = {path.stem for path in (SOURCE / "core").glob("*.py") if path.stem != "__init__"}
    assert not {name for name in names if not any(t == name or t.startswith(f"{name}_") for t in tested)}


@pytest.mark.parametrize("room", ["flows", "web"])
def test_no_foreign_object_is_stored(room: str) -> None:
    """Imports cannot show an instance handed out and saved elsewhere; this can."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in tracked(f"src/tollkeeper/{room}/*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(r"\.objects\b|\.save\((?:\)|update_fields|force_|using)|\.delete\(\)", line)
    ]
    assert not found


def test_no_document_names_a_place_of_work() -> None:
    """Nothing of a developer's machine gets into the product."""
    listed = [
        path for pattern in ("*.py", "*.md", "*.toml", "*.html", "tollkeeper") for path in tracked(pattern)
    ]
    here = str(ROOT)
    assert not [
        str(path)
        for path in listed
        if here in (text := path.read_text(errors="replace")) or re.search(r"/(root|home/\w+)/", text)
    ]
