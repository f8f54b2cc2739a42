"""Names of entries in the shared cache: keyed hashes, so that no address can be guessed from one."""

from __future__ import annotations

from tollkeeper.kit.keystore import ring


def blind_key(key: str, prefix: str, version: int) -> str:
    """Django's ``KEY_FUNCTION``: the same key gives the same name on every process of a shop."""
    return f"{prefix}:{version}:{ring.current().blind(key, 'cache')[0]}"
