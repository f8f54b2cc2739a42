"""Who may report leaked keys: the public keys of GitHub's secret scanning, asked for and remembered.

In a demo nothing is asked of anybody: there the keys are read from ``leak-reporters.json`` in
the home, in the same form, so that a report can be rehearsed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import msgspec
import requests
from django.conf import settings
from django.core.cache import cache

from tollkeeper.kit import egress

KEYS_AT = "https://api.github.com/meta/public_keys/secret_scanning"
"""docs.github.com/code-security/secret-scanning/secret-scanning-partnership-program"""
RECIPIENT = "github"
"""Its name in ``policy.toml``; see docs/how-to/take-leak-reports.md."""
REMEMBERED_S = 86_400
ASK_AGAIN_S = 300
"""Unknown key ids make us ask at most so often."""
REHEARSAL = "leak-reporters.json"
MOST_BYTES = 256 * 1024
_CACHED, _ASKED = "leaks:keys", "leaks:asked"
log = logging.getLogger("tollkeeper.leaks")


class NoKeys(Exception):
    """The reporters' keys cannot be had now; the report should come again later."""


class _Key(msgspec.Struct, frozen=True):
    key_identifier: str
    key: str


class _Answer(msgspec.Struct, frozen=True):
    public_keys: tuple[_Key, ...]


def public_keys(key_id: str) -> Mapping[str, str]:
    """Key id → PEM; asked for anew if ``key_id`` is not among those remembered. Raises :class:`NoKeys`."""
    if not settings.ENV.live:
        return _rehearsed()
    known: dict[str, str] | None = cache.get(_CACHED)
    if known is not None and key_id in known:
        return known
    if not cache.add(_ASKED, 1, ASK_AGAIN_S):
        if known is None:
            raise NoKeys
        return known
    try:
        fresh = _read(_fetch())
    except NoKeys:
        cache.delete(_ASKED)
        raise
    cache.set(_CACHED, fresh, REMEMBERED_S)
    return fresh


def _fetch() -> bytes:
    try:
        answer = egress.session(RECIPIENT, "security").get(KEYS_AT, timeout=egress.TIMEOUT_S, stream=True)
        body: Any = answer.raw.read(MOST_BYTES + 1, decode_content=True)
    except egress.Refused as refusal:
        log.error("leak reports cannot be checked: %s", refusal)
        raise NoKeys from None
    except (requests.RequestException, OSError) as error:
        log.warning("the keys of leak reporters did not come: %s", type(error).__name__)
        raise NoKeys from None
    if answer.status_code != 200 or len(body) > MOST_BYTES:
        log.warning("the keys of leak reporters did not come: status %s", answer.status_code)
        raise NoKeys
    return bytes(body)


def _rehearsed() -> dict[str, str]:
    path = settings.ENV.home / REHEARSAL
    return _read(path.read_bytes()) if path.exists() else {}


def _read(body: bytes) -> dict[str, str]:
    try:
        found = msgspec.json.decode(body, type=_Answer)
    except msgspec.DecodeError:
        log.warning("the keys of leak reporters cannot be read")
        raise NoKeys from None
    return {one.key_identifier: one.key for one in found.public_keys}
