"""What lies in backups, once they are opened: a sealed file holds nothing that could be found."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import replace

from tollkeeper.kit import backups
from tollkeeper.privacy.canary import Hit, Scanner


def scan_backups(scanner: Scanner, some: Iterable[backups.Backup] | None = None) -> Iterator[Hit]:
    """Hits in backups (all of them unless named), under the path of the sealed file."""
    for one in backups.list_backups() if some is None else some:
        with backups.open_plain(one) as plain:
            if one.engine == "postgresql":
                text = plain.with_suffix(".sql")
                program = backups.program("pg_restore")
                subprocess.run([program, "--file", str(text), str(plain)], check=True)
                plain = text
            yield from [replace(hit, place=str(one.path)) for hit in scanner.scan_file(plain)]
