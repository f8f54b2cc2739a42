"""The provisioners of this installation: found by their file's name, given their door."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import requests
from django.utils import timezone

from tollkeeper.core.terms import TargetTerms
from tollkeeper.delivery.house import AtHome
from tollkeeper.delivery.provisioners import Door, Provisioner, Refused, Reply, Unsure
from tollkeeper.kit import egress, plugins

PACKAGE = "tollkeeper.delivery.provisioners"
TIMEOUT_S = 20.0
MOST_BYTES = 4 * 1024 * 1024
_stand_ins: dict[str, Provisioner] = {}


def names() -> tuple[str, ...]:
    """Names of the provisioner files that are installed."""
    return plugins.names(PACKAGE)


def at_home(title: str = "") -> Provisioner:
    """The provisioner of keys on our own gate."""
    return _build("gate_key", Door(timezone.now, house=AtHome(title)))


def for_target(target: TargetTerms) -> Provisioner:
    """The provisioner of a relay account. Raises :class:`Refused` without its credential."""
    credential = os.environ.get(target.credential, "")
    if not credential:
        raise Refused("credential", f"the environment variable {target.credential} is empty")
    push_secret = os.environ.get(target.options.get("push_secret", ""), "")
    door = Door(timezone.now, target, credential, Wire(target.name), push_secret=push_secret)
    return _build(target.provisioner, door)


def _build(name: str, door: Door) -> Provisioner:
    if name not in names():
        raise Refused("unknown_provisioner", f"there is no provisioner {name!r}")
    return cast("Provisioner", importlib.import_module(f"{PACKAGE}.{name}").build(door))


def standing_in(target: str) -> Provisioner | None:
    """What was put in the place of a target's provisioner, if anything."""
    return _stand_ins.get(target)


@contextmanager
def stand_in(target: str, provisioner: Provisioner) -> Iterator[None]:
    """Use a provisioner for a target for a while: tests and drills."""
    _stand_ins[target] = provisioner
    try:
        yield
    finally:
        _stand_ins.pop(target, None)


class Wire:
    """The way out to one relay, through the egress door."""

    def __init__(self, processor: str) -> None:
        self.session = egress.session(processor, "delivery")

    def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: Any = None,
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        """See ``provisioners.Http``."""
        sent = {"data": body} if isinstance(body, bytes) else {"json": body}
        try:
            answer = self.session.request(
                method,
                url,
                headers=dict(headers),
                params=query,
                timeout=TIMEOUT_S,
                allow_redirects=False,
                stream=True,
                **sent,
            )
            raw = answer.raw.read(MOST_BYTES + 1, decode_content=True)
        except egress.Refused as refusal:
            raise Refused("egress", str(refusal)) from None
        except (requests.RequestException, OSError) as error:
            raise Unsure(type(error).__name__) from None
        if len(raw) > MOST_BYTES:
            raise Unsure("an answer is too big")
        return Reply(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, raw)
