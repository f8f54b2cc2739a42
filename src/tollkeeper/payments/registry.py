"""The providers of this installation: found by their file's name, built from the settings."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import cast

from django.conf import settings

from tollkeeper.kit import egress, plugins
from tollkeeper.payments.providers import Module, Provider, Refused

PACKAGE = "tollkeeper.payments.providers"
_stand_ins: dict[str, Provider] = {}


def names() -> tuple[str, ...]:
    """Names of the provider files that are installed."""
    return plugins.names(PACKAGE)


def module(name: str) -> Module:
    """The file of a provider; raises :class:`Refused` for an unknown name."""
    if name not in names():
        raise Refused("unknown_provider")
    return cast("Module", importlib.import_module(f"{PACKAGE}.{name}"))


def get_provider(name: str) -> Provider:
    """The provider called ``name``, built once per process; raises :class:`Refused`."""
    return _stand_ins.get(name) or _built(name)


@lru_cache(maxsize=16)
def _built(name: str) -> Provider:
    options = {
        "live": settings.ENV.live,
        "session": egress.session(name, "order"),
        **settings.PAYMENT_OPTIONS.get(name, {}),
    }
    return module(name).build(options)


@contextmanager
def stand_in(provider: Provider) -> Iterator[Provider]:
    """Use ``provider`` under its name for a while: tests and drills."""
    before = _stand_ins.get(provider.name)
    _stand_ins[provider.name] = provider
    try:
        yield provider
    finally:
        if before is None:
            del _stand_ins[provider.name]
        else:
            _stand_ins[provider.name] = before
