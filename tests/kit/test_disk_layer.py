"""An encrypted disk is seen in what the kernel says, and one that is only said to be is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tollkeeper.kit import disk_layer

Devices = dict[str, tuple[str, tuple[str, ...]]]


def numbers(path: Path) -> str:
    device = path.stat().st_dev
    return f"{os.major(device)}:{os.minor(device)}"


def kernel(tmp_path: Path, path: Path, devices: Devices, kind: str = "ext4") -> Path:
    """``devices``: name → (uuid of the device mapper, devices below); ``own`` is the folder's."""
    root = tmp_path / "kernel"
    (root / "proc/self").mkdir(parents=True)
    line = f"21 1 {numbers(path)} / /mnt rw,relatime shared:1 - {kind} /nowhere rw\n"
    (root / "proc/self/mountinfo").write_text(line)
    for name, (uuid, below) in devices.items():
        block = root / "sys/dev/block" / (numbers(path) if name == "own" else name.replace("_", ":"))
        (block / "slaves").mkdir(parents=True)
        if uuid:
            (block / "dm").mkdir()
            (block / "dm/uuid").write_text(uuid + "\n")
        for one in below:
            (block / "slaves" / one).mkdir()
            (block / "slaves" / one / "dev").write_text(one.replace("_", ":") + "\n")
    return root


@pytest.mark.parametrize(
    ("devices", "seen"),
    [
        ({"own": ("CRYPT-LUKS2-0a1b-home", ("8_1",))}, "dm-crypt"),
        ({"own": ("LVM-abc", ("253_0",)), "253_0": ("CRYPT-LUKS1-x", ())}, "dm-crypt"),
        ({"own": ("LVM-abc", ("8_1",)), "8_1": ("", ())}, "not seen"),
        # a volume over two disks of which one is plain
        (
            {"own": ("LVM-abc", ("253_0", "8_2")), "253_0": ("CRYPT-LUKS1-x", ()), "8_2": ("", ())},
            "not seen",
        ),
        ({"own": ("", ())}, "not seen"),
        ({}, "not seen"),
    ],
)
def test_what_the_kernel_says(tmp_path: Path, devices: Devices, seen: str) -> None:
    root = kernel(tmp_path, tmp_path, devices)
    assert disk_layer.layer_of(tmp_path / "not" / "made" / "yet", root) == seen


def test_a_file_system_that_encrypts_by_itself(tmp_path: Path) -> None:
    assert disk_layer.layer_of(tmp_path, kernel(tmp_path, tmp_path, {}, "fuse.gocryptfs")) == "gocryptfs"


def test_a_device_that_stands_on_itself_ends(tmp_path: Path) -> None:
    root = kernel(tmp_path, tmp_path, {"own": ("LVM-x", ("253_0",)), "253_0": ("LVM-y", ("253_0",))})
    assert disk_layer.layer_of(tmp_path, root) == "not seen"


def test_without_a_kernel_that_tells_nothing_is_seen(tmp_path: Path) -> None:
    assert disk_layer.layer_of(tmp_path, tmp_path / "no-such-root") == "not seen"
