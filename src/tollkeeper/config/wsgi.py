"""The web process's entry."""

import os
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from django.core.wsgi import get_wsgi_application

from tollkeeper.core.lockdown import SENTENCE
from tollkeeper.kit import egress_guard, lockdown, purposes
from tollkeeper.privacy import checks

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tollkeeper.config.settings")
_django = get_wsgi_application()
# pages know models, which exist only now
_django = import_module("tollkeeper.web.access_log").logged(_django)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """The shop; one sentence instead while a restored book is not made good."""
    if lockdown.locked():
        head = [("Content-Type", "text/plain; charset=utf-8"), ("Retry-After", "60")]
        start_response("503 Service Unavailable", [*head, ("Cache-Control", "no-store")])
        return [f"This shop is closed: {SENTENCE}\n".encode()]
    return _django(environ, start_response)


checks.require()  # an undeclared column refuses the boot
egress_guard.guard_process()  # and nothing leaves but through the door
purposes.guard_process()  # nor is a person's data read without saying what for
# an old book must not bring erased people back; flows know models, which exist only now
import_module("tollkeeper.flows.restoring").lock_if_restored()
