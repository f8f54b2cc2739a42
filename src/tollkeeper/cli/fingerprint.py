"""What decides whether the book must be prepared again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from tollkeeper.config.environment import Environment


def fingerprint(env: Environment) -> str:
    """A short text that changes with any migration, any file of the shop or of the pages' looks, any address,
    or version of Django.
    """
    facts = (
        version("django"),
        version("django-allauth"),
        env.shop,
        env.port,
        env.live,
        env.public_url,
        env.gate_url,
    )
    seen = hashlib.sha256(repr(facts).encode())
    for path in sorted(_files(env)):
        status = path.stat()
        seen.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return seen.hexdigest()


def _files(env: Environment) -> Iterator[Path]:
    package = Path(__file__).resolve().parents[1]
    yield from package.glob("**/migrations/*.py")
    for folder in (package / "web" / "static", env.shop):
        yield from (path for path in folder.rglob("*") if path.is_file())
