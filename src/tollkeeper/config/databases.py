"""How Django is told of a database."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from tollkeeper.config.environment import BadEnvironment


def postgresql(url: str, name: str = "DATABASE_URL") -> dict[str, Any]:
    """Django's entry for ``postgresql://user:password@host:port/database``.

    Raises :class:`BadEnvironment`, which names the setting ``name``.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql") or not parts.path.strip("/"):
        raise BadEnvironment(f"{name} must look like postgresql://user:password@host:5432/database")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": parts.port or "",
        # room for every thread of a process: the default of four makes a fifth one wait and then fail
        "OPTIONS": {"pool": {"min_size": 1, "max_size": 32, "timeout": 10}},
    }
