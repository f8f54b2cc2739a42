"""Plugins are found by their file's name: one module in the package of their kind."""

from __future__ import annotations

import importlib.util
import pkgutil


def names(package: str) -> tuple[str, ...]:
    """Names of the plugins in a package, sorted; modules that begin with ``_`` are none.

    Nothing is imported but the package itself, so this is safe before Django is set up.
    """
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return tuple(sorted(m.name for m in pkgutil.iter_modules(folders) if not m.name.startswith("_")))
