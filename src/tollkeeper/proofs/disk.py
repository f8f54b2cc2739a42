"""The layer below: whether the disks are encrypted is looked at, and a word that they are is checked."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from tollkeeper.kit import backups, disk_layer, sealed_stream
from tollkeeper.proofs.context import Context
from tollkeeper.proofs.probe import Evidence, probe, require

_PLAIN = b"SQLite format 3\0"


def _head(path: Path) -> str:
    """What the first bytes of a file of tables say."""
    if not path.is_file():
        return "no file"
    with path.open("rb") as file:
        head = file.read(len(_PLAIN))
    if head.startswith(sealed_stream.MAGIC):
        return "sealed"
    return "plain SQLite" if head == _PLAIN else "not plain SQLite"


@probe("T-26", "G-45")
def below(ctx: Context) -> Evidence:
    """Every backup is sealed; disks that are said to be encrypted are seen to be."""
    env = settings.ENV
    places = {
        "home": env.home,
        "keystore": env.keystore.parent,
        "backups": backups.folder(),
        "copies_of_keys": backups.key_folder(),
    }
    seen = {name: disk_layer.layer_of(Path(path)) for name, path in places.items()}
    if env.disk_encrypted:
        plain = sorted(name for name, layer in seen.items() if layer == disk_layer.NOT_SEEN)
        require(not plain, "a disk that is said to be encrypted is not seen to be", places=plain)
    heads = {one.name: _head(one.path) for one in backups.list_backups()}
    clear = sorted(name for name, head in heads.items() if head != "sealed")
    require(not clear, "a backup is not sealed", backups=clear)
    return {
        "sealed_backups": len(heads),
        "disks": seen,
        "disks_said_to_be_encrypted": env.disk_encrypted,
        "head_of_the_book": "a server's" if env.database_url else _head(env.book),
        "head_of_the_keystore": _head(env.keystore),
    }
