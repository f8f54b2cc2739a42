"""Starts Django for a command that needs the book."""

from __future__ import annotations

import os

from tollkeeper.config import environment


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
