"""Refuses every connection that is opened past the egress door.

A Python audit hook sees each ``socket.connect`` of the process, whatever library it comes
from. This machine, and the addresses of our own stores, are near; everything else is
reached through the door only. Installed once per process; it cannot be taken out again.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from urllib.parse import urlsplit

from django.conf import settings

_open: ContextVar[bool] = ContextVar("egress_open", default=False)
_near: set[str] = set()
_installed = False


class PastTheDoor(ConnectionError):
    """Something tried to reach the outside without the egress door."""


@contextmanager
def opened() -> Iterator[None]:
    """While the door lets a message through, its connection may be made."""
    token = _open.set(True)
    try:
        yield
    finally:
        _open.reset(token)


def install(near: Iterable[str] = ()) -> None:
    """Watch this process. ``near`` are hosts of our own stores (database, counters)."""
    global _installed
    _near.update(near)
    if not _installed:
        sys.addaudithook(_watch)
        _installed = True


def guard_process() -> None:
    """Refuse from now on every connection of this process that does not go through the door.

    Near are this machine, the hosts of our own stores, and our own public addresses.
    """
    urls = [settings.ENV.public_url, settings.ENV.gate_url, settings.ENV.redis_url]
    hosts = [urlsplit(url).hostname or "" for url in urls]
    hosts += [str(database.get("HOST") or "") for database in settings.DATABASES.values()]
    install(filter(None, hosts))


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect" and not _open.get():
        address = arguments[1]
        if isinstance(address, tuple) and address and not is_near(str(address[0])):
            raise PastTheDoor(f"a connection to {address[0]} past the egress door")
    elif event == "socket.getaddrinfo" and not _open.get():
        host = arguments[0]
        if isinstance(host, str | bytes):
            name = host.decode() if isinstance(host, bytes) else host
            if not is_near(name):
                raise PastTheDoor(f"a look-up of {name} past the egress door")


def is_near(host: str) -> bool:
    """Whether a host is this machine or one of our own stores."""
    if not host or host == "localhost" or host in _near:
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
