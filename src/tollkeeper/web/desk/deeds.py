"""What the desk's verbs have in common: who acts, and how it is told what came of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest

from tollkeeper.core.refusal import Refused


def actor(request: HttpRequest) -> uuid.UUID:
    """The operator who is signed in."""
    person: Any = request.user
    return uuid.UUID(str(person.pk))


def attempt(request: HttpRequest, deed: Callable[[], object], done: str) -> bool:
    """Do something and have the next page say ``done``, or why it was refused; whether it was done."""
    try:
        deed()
    except Refused as no:
        messages.error(request, str(no))
        return False
    messages.success(request, done)
    return True
