"""Starts Django for a command that needs the book."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from tollkeeper.config import environment
from tollkeeper.config.environment import Environment
from tollkeeper.core.refusal import Refused


def start() -> environment.Environment:
    """Make the secrets if need be, load Django, and return the environment.

    Raises :class:`environment.BadEnvironment` with one sentence.
    """
    env = environment.read()
    environment.create_secrets(env.home)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tollkeeper.config.settings")
    import django

    django.setup()
    return env


def refuse_if_locked() -> None:
    """Raise :class:`Refused` while a restored book still holds people who were erased."""
    from tollkeeper.core import lockdown
    from tollkeeper.flows import restoring

    if restoring.lock_if_restored():
        raise Refused(lockdown.SENTENCE)


def reach_book(env: Environment) -> None:
    """Raise :class:`Refused` if the book is a PostgreSQL that does not let us in, within five seconds."""
    if not env.database_url:
        return
    import psycopg

    try:
        psycopg.connect(env.database_url, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        place = urlsplit(env.database_url)
        why = str(error).strip().splitlines()[-1].strip()
        raise Refused(
            f"the book at {place.hostname}:{place.port or 5432}{place.path} cannot be opened ({why}); "
            "check that PostgreSQL runs there, and DATABASE_URL"
        ) from None
