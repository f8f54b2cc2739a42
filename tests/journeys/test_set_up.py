"""The root script: what it says when a machine is not ready for it."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NEEDED = [
    "tollkeeper",
    "pyproject.toml",
    "requirements.lock",
    "requirements-dev.lock",
    "requirements-setup.lock",
]
TOOLS = ["sh", "cat", "cksum", "tr", "dirname", "ln", "readlink", "mv", "rm", "sleep", "id"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the script and what it reads, but no packages."""
    folder = tmp_path / "a check out"
    folder.mkdir()
    for name in NEEDED:
        shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture
def path_without_python(tmp_path: Path) -> str:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found
        (tools / name).symlink_to(found)
    return str(tools)


def start(checkout: Path, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(checkout / "tollkeeper"), "--help"],
        env={"PATH": os.environ["PATH"], "HOME": str(checkout), **more},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_refused(process: subprocess.Popen[str], *words: str) -> None:
    out, err = process.communicate(timeout=100)
    last = err.strip().splitlines()[-1]
    assert process.returncode == 1, err
    assert out == ""
    assert last.startswith("tollkeeper: ")
    for word in words:
        assert word in last, err


def test_without_python_it_says_what_to_install(checkout: Path, path_without_python: str) -> None:
    assert_refused(start(checkout, PATH=path_without_python), "Python 3.11", "python3-venv")
    assert not os.path.lexists(checkout / ".venv.lock")


def test_an_old_python_is_not_taken(checkout: Path, path_without_python: str) -> None:
    old = Path(path_without_python) / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    assert_refused(start(checkout, PATH=path_without_python), "Python 3.11")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a second user")
def test_a_folder_that_cannot_be_written_is_named(checkout: Path) -> None:
    """Readable for everybody, writable for its owner alone."""
    place = Path("/tmp") / f"tollkeeper-readonly-{os.getpid()}"
    shutil.copytree(checkout, place)
    try:
        place.chmod(0o755)
        nobody = pwd.getpwnam("nobody").pw_uid
        result = subprocess.run(
            [str(place / "tollkeeper"), "--help"],
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
            cwd="/",
            user=nobody,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == 1
        assert result.stderr.startswith("tollkeeper: ")
        assert "not writable" in result.stderr
    finally:
        shutil.rmtree(place)


def test_a_download_that_fails_is_said_and_leaves_no_lock(checkout: Path) -> None:
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0", "PIP_CONFIG_FILE": os.devnull}
    assert_refused(start(checkout, **nowhere), "download", "setup.log")
    assert not os.path.lexists(checkout / ".venv.lock")
    assert not list((checkout / ".venv").glob(".ready-*"))


def test_a_second_start_waits_for_the_first(checkout: Path, path_without_python: str) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"]) as first:
        (checkout / ".venv.lock").symlink_to(str(first.pid))
        second = start(checkout, PATH=path_without_python)
        time.sleep(2.0)
        assert second.poll() is None
        first.kill()
        first.wait()
        assert_refused(second, "Python 3.11")
    assert second.returncode == 1


def test_the_lock_of_a_dead_one_is_dropped(checkout: Path, path_without_python: str) -> None:
    (checkout / ".venv.lock").symlink_to("999999999")
    assert_refused(start(checkout, PATH=path_without_python), "Python 3.11")
    assert not os.path.lexists(checkout / ".venv.lock")


def test_an_interrupted_set_up_drops_its_lock(
    checkout: Path, tmp_path: Path, path_without_python: str
) -> None:
    slow = Path(path_without_python) / "python3.11"
    slow.write_text('#!/bin/sh\ncase "$1" in -c) exit 0;; esac\nexec sleep 30\n')
    slow.chmod(0o755)
    with start(checkout, PATH=path_without_python) as process:
        deadline = time.monotonic() + 30
        while not (asleep := _children(process.pid, "sleep")) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert os.path.lexists(checkout / ".venv.lock")
        for child in asleep:
            os.kill(child, signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=40)
    assert process.returncode != 0
    assert not os.path.lexists(checkout / ".venv.lock")


def _children(pid: int, program: str) -> list[int]:
    """Those below a process that run a program."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if not entry.name.isdigit():
                continue
            name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
            if int(rest.split()[1]) == pid:
                found += _children(int(entry.name), program) + [int(entry.name)] * (name == program)
        except OSError:
            continue
    return found
