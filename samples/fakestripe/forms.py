"""The SDK's form encoding, ``a[b][0][c]=1``, as nested dicts and lists."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from samples.fakestripe.schema import BadRequest

_NAME = re.compile(r"[^\[\]]+|\[[^\[\]]*\]")
MAX_DEPTH = 8


def parse(text: str) -> dict[str, Any]:
    """Nested fields of a query or a body; raises :class:`BadRequest` for a broken name."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=2000):
        parts = [part.strip("[]") for part in _NAME.findall(name)]
        if not parts or len(parts) > MAX_DEPTH or "".join(_NAME.findall(name)) != name:
            raise BadRequest(f"cannot read the name {name!r}", name)
        node = tree
        for part in parts[:-1]:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise BadRequest(f"{name!r} is both a value and a group", name)
        node[parts[-1] or str(len(node))] = value
    return {name: _lists(value) for name, value in tree.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(item) for key, item in value.items()}
