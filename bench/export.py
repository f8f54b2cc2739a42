"""A person with very many calls asks for their copy: rows per second of the zip, and flat memory."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from bench._call_rows import fill
from tollkeeper.accounts import services as accounts
from tollkeeper.core.rehearsal import Figure, Outcome, Scene
from tollkeeper.drills._shop import open_shop
from tollkeeper.kit import sealed_stream
from tollkeeper.kit.purposes import OWN, serving
from tollkeeper.privacy.bundle.reading import check_copy
from tollkeeper.privacy.bundle.writing import write_copy

SUMMARY = "Rows per second of a person's signed zip, and its peak memory for a hundred times the calls."
_GROWN_MIB = 24
_PART = 20_000


class _Peak:
    """The highest memory of this process while a copy is written, above what it was before.

    Linux counts the peak since the process began; writing 5 to ``clear_refs`` begins anew.
    """

    def __init__(self) -> None:
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            pass

    def mib(self) -> float:
        try:
            lines = Path("/proc/self/status").read_text().splitlines()
            return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
        except (OSError, StopIteration):
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _copy(subject: uuid.UUID, folder: Path, scene: Scene, of: int) -> tuple[int, float, float, Path]:
    """Write one copy; rows, seconds, peak MiB, and the sealed file."""
    told = {"rows": 0}

    def count(rows: int) -> None:
        told["rows"] += rows
        if told["rows"] % _PART < rows:
            scene.say(told["rows"], of, "rows")

    path, key = folder / f"{subject.hex}.sealed", sealed_stream.new_key()
    peak, began = _Peak(), time.perf_counter()
    with serving(OWN), sealed_stream.SealedFile(path, key) as file:
        made = write_copy(subject, file, scratch=folder, progress=count)
    took, high = time.perf_counter() - began, peak.mib()
    clear = path.with_suffix(".zip")
    with clear.open("wb") as out:
        out.writelines(sealed_stream.read_sealed(path, key))
    return made.rows, took, high, clear


def run(scene: Scene) -> Outcome:
    """Copy a person with few calls, then one with a hundred times as many, and check both zips.

    ``ok``: the large one is whole, holds every row, and took at most 24 MiB more.
    """
    open_shop()
    small, large = (1_000, 50_000) if scene.quick else (100_000, 10_000_000)
    people = []
    for count in (small, large):
        user = accounts.create_person(f"person{count}@example.org", None)
        fill(accounts.ensure_customer(user), count)
        people.append(user.pk)
    folder = Path(tempfile.mkdtemp(prefix="copies-"))
    try:
        warm, *_ = _copy(people[0], folder, scene, small)  # templates and translations are loaded once
        rows_small, _, peak_small, _ = _copy(people[0], folder, scene, small)
        rows, took, peak, clear = _copy(people[1], folder, scene, large)
        size = clear.stat().st_size
        whole = check_copy(clear).rows["usage.Call"] == large
        listed = subprocess.run(
            [sys.executable, "-m", "zipfile", "-l", str(clear)], capture_output=True, check=False
        ).returncode
    finally:
        shutil.rmtree(folder)
    figures: dict[str, Figure] = {
        "calls": large,
        "rows": rows,
        "rows_per_s": round(rows / took),
        "s": round(took, 2),
        "zip_mib": round(size / 1024 / 1024, 1),
        "peak_mib_small": round(peak_small, 1),
        "peak_mib": round(peak, 1),
        "grown_mib": round(peak - peak_small, 1),
    }
    ok = whole and not listed and rows > large and warm == rows_small > small
    return Outcome(ok and peak - peak_small <= _GROWN_MIB, figures)
