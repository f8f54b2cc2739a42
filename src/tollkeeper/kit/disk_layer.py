"""Whether a folder lies on an encrypted disk, as the kernel tells it (Linux): seen, never believed.

Looked at are the file system of the folder and every block device below it: LUKS and plain
dm-crypt, also below LVM; file systems that encrypt by themselves. Encryption that the kernel
does not know of (a cloud's volumes, a drive that seals itself) cannot be seen from here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

CRYPT = "dm-crypt"
NOT_SEEN = "not seen"
_BY_ITSELF = {"ecryptfs": "ecryptfs", "fuse.gocryptfs": "gocryptfs", "fuse.cryfs": "cryfs"}


def layer_of(path: Path, root: Path = Path("/")) -> str:
    """What encrypts the disk below a folder: ``dm-crypt``, a file system's name, or ``not seen``.

    ``root`` holds ``proc`` and ``sys``. A folder that does not exist yet is where it will be made.
    """
    while not path.exists() and path != path.parent:
        path = path.parent
    device = path.stat().st_dev
    numbers = f"{os.major(device)}:{os.minor(device)}"
    kind, source = _mount(numbers, root)
    if kind in _BY_ITSELF:
        return _BY_ITSELF[kind]
    found = [numbers, *_device_of(source)]
    return CRYPT if any(_is_crypt(one, root) for one in found) else NOT_SEEN


def _mount(numbers: str, root: Path) -> tuple[str, str]:
    """File system and device of a mounted device by its numbers (proc(5), mountinfo); empty if unknown."""
    try:
        lines = (root / "proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return "", ""
    for line in lines:
        head, _, tail = line.partition(" - ")
        if head.split()[2:3] == [numbers] and len(tail.split()) >= 2:
            kind, source = tail.split()[:2]
            return kind, source
    return "", ""


def _device_of(source: str) -> Iterator[str]:
    """The numbers of the device that a file system with numbers of its own (btrfs) names."""
    if source.startswith("/dev/"):
        try:
            device = Path(source).stat().st_rdev
        except OSError:
            return
        yield f"{os.major(device)}:{os.minor(device)}"


def _is_crypt(numbers: str, root: Path, depth: int = 8) -> bool:
    """Whether a block device is dm-crypt's, or stands on nothing but such."""
    block = root / "sys/dev/block" / numbers
    try:
        if (block / "dm/uuid").read_text().startswith("CRYPT-"):
            return True
    except OSError:
        pass
    try:
        below = sorted((block / "slaves").iterdir())
    except OSError:
        return False
    try:
        some = [(one / "dev").read_text().strip() for one in below]
    except OSError:
        return False
    return bool(some) and depth > 0 and all(_is_crypt(one, root, depth - 1) for one in some)
