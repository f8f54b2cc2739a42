"""Large sealed files: what was written comes back, and nothing that was touched does."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.kit.sealed import Damaged
from tollkeeper.kit.sealed_stream import PIECE, SealedFile, new_key, read_sealed

KEY = new_key()


def write(path: Path, *parts: bytes) -> None:
    with SealedFile(path, KEY) as file:
        for part in parts:
            file.write(part)


@given(st.lists(st.integers(0, 2 * PIECE), max_size=4))
def test_any_parts_come_back_whole(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    path = tmp_path_factory.mktemp("sealed") / "file"
    parts = [bytes([index]) * size for index, size in enumerate(sizes)]
    write(path, *parts)
    assert b"".join(read_sealed(path, KEY)) == b"".join(parts)


def test_nothing_clear_lies_on_the_disk(tmp_path: Path) -> None:
    write(tmp_path / "file", b"canary " * 100_000)
    assert b"canary" not in (tmp_path / "file").read_bytes()
    assert (tmp_path / "file").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("what", ["flipped", "cut", "cut at a piece", "swapped", "foreign", "empty"])
def test_what_was_touched_does_not_open(tmp_path: Path, what: str) -> None:
    path = tmp_path / "file"
    write(path, b"a" * PIECE, b"b" * PIECE, b"c" * 10)
    raw = path.read_bytes()
    head, piece = raw[:11], PIECE + 16
    first, second = raw[11 : 11 + piece], raw[11 + piece : 11 + 2 * piece]
    path.write_bytes(
        {
            "flipped": raw[:-1] + bytes([raw[-1] ^ 1]),
            "cut": raw[:-5],
            "cut at a piece": head + first + second,
            "swapped": head + second + first + raw[11 + 2 * piece :],
            "foreign": b"PK" + raw[2:],
            "empty": head,
        }[what]
    )
    with pytest.raises(Damaged):
        b"".join(read_sealed(path, KEY))


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    write(tmp_path / "file", b"x")
    with pytest.raises(Damaged):
        list(read_sealed(tmp_path / "file", new_key()))
