"""Reads a shop's folder: ``shop.toml`` and ``openapi.yaml``, checked together.

No Django here: the set-up, the supervisor and the tests read shops before there is a book.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tollkeeper.catalog import crosscheck
from tollkeeper.catalog.crosscheck import Known
from tollkeeper.catalog.mistakes import BadShop, Mistake, dotted, from_pydantic
from tollkeeper.catalog.schema import ShopFile, Target, Upstream
from tollkeeper.core.toml_lines import LineIndex, index
from tollkeeper.kit import plugins

SHOP_FILE = "shop.toml"
API_FILE = "openapi.yaml"
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where it is there: it reads the same seven times as fast."""
FIRST_SAMPLE = 3
"""Samples listen from the shop's port + 3 on, in the order in which the file names them."""
GATE_OWN = ("/v1/usage", "/v1/limits")
"""Paths that the gate answers itself; documents may describe them without a route."""
GATE_OWN_MODELS = ("/v1/models", "/v1/models/{model}")
"""The same where the shop has a price book."""


_SAMPLE_KEYS = {
    "posts": "POSTS_API_KEY",
    "llm": "LLM_API_KEY",
    "litellm": "LITELLM_ADMIN_KEY",
    "newapi": "NEWAPI_ADMIN_KEY",
    "oneapi": "ONEAPI_ADMIN_KEY",
    "openrouter": "OPENROUTER_ADMIN_KEY",
}
"""Name of a stand-in → the variable from which it takes the secret it accepts."""
_RELAYS = ("litellm", "newapi", "oneapi", "openrouter")


@dataclass(frozen=True, slots=True)
class Sample:
    """A stand-in for somebody else's API: ``python -m <module> <args> --port <port>``."""

    name: str
    module: str
    args: tuple[str, ...]
    port: int
    own: dict[str, str]
    """Environment of the stand-in itself."""
    shared: dict[str, str]
    """Environment of the gates and workers that call it: the same secrets by the shop's names."""


def installed() -> Known:
    """The plugins that a shop file may name."""
    return Known(
        meters=_named("tollkeeper.core.meters", "calls"),
        providers=_named("tollkeeper.payments.providers", "free"),
        provisioners=_named("tollkeeper.delivery.provisioners", "gate_key"),
    )


def _named(package: str, built_in: str) -> tuple[str, ...]:
    return tuple(sorted({built_in, *plugins.names(package)}))


def read_shop(folder: Path, known: Known | None = None) -> ShopFile:
    """The checked shop; raises :class:`BadShop` with every mistake of its files."""
    path = folder / SHOP_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadShop(
            [_whole(path, "is not there", "copy the folder of a shop that works, like shops/twtapi")]
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadShop(
            [_whole(path, f"cannot be read: {error}", "check its rights and that it is UTF-8")]
        ) from None
    try:
        data, lines = tomllib.loads(text), index(text)
    except tomllib.TOMLDecodeError as error:
        raise BadShop([_syntax(path.name, text, error)]) from None
    try:
        shop = ShopFile.model_validate(data)
    except ValidationError as error:
        raise BadShop([from_pydantic(dict(found), path.name, lines) for found in error.errors()]) from None
    mistakes = [
        Mistake(path.name, dotted(place), lines.find(place), message, remedy)
        for place, message, remedy in crosscheck.findings(shop, known or installed())
    ]
    mistakes += _compare(shop, folder / API_FILE, lines)
    if mistakes:
        raise BadShop(mistakes)
    return shop


def read_api(folder: Path) -> dict[str, Any]:
    """The OpenAPI document of the shop, or an empty table; raises :class:`BadShop`."""
    path = folder / API_FILE
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), _YAML)  # noqa: S506 - both are safe loaders
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        line = mark.line + 1 if mark else None
        raise BadShop(
            [Mistake(path.name, "", line, f"cannot be read: {problem}", "correct the YAML")]
        ) from None
    if not isinstance(document, dict) or not isinstance(document.get("paths"), dict):
        raise BadShop([_whole(path, "is no OpenAPI document", 'it needs "openapi", "info" and "paths"')])
    return document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path template and operation of every operation, in the order of the file."""
    for path, item in document.get("paths", {}).items():
        for method in ("get", "head", "post", "put", "patch", "delete", "options"):
            if isinstance(item, dict) and method in item:
                yield method.upper(), path, item[method]


def demo_secret(name: str) -> str:
    """The secret of a stand-in where nobody cares: the same on every machine."""
    return f"demo-{name}-key"


def samples(shop: ShopFile, port: int, secret: Callable[[str], str] = demo_secret) -> tuple[Sample, ...]:
    """The stand-ins that the shop wants beside it when it is not live.

    ``secret`` gives the secret of a stand-in by its name.
    """
    found: dict[str, dict[str, str]] = {}
    parts: list[Upstream | Target] = [*shop.upstreams.values(), *shop.targets.values()]
    for part in parts:
        if part.sample:
            shared = found.setdefault(part.sample, {})
            if part.credential:
                shared[part.credential] = secret(part.sample)
    return tuple(
        Sample(
            name=name,
            module="samples.relays" if name in _RELAYS else f"samples.{name}",
            args=("--kind", name) if name in _RELAYS else (),
            port=port + FIRST_SAMPLE + position,
            own={_SAMPLE_KEYS[name]: secret(name)} if name in _SAMPLE_KEYS else {},
            shared=shared,
        )
        for position, (name, shared) in enumerate(found.items())
    )


def addresses(shop: ShopFile, port: int, *, live: bool) -> dict[str, str]:
    """Where upstreams and relays are really reached: at their stand-ins unless the shop is live."""
    if live:
        return {}
    ports = {sample.name: sample.port for sample in samples(shop, port)}
    parts: dict[str, Upstream | Target] = {**shop.upstreams, **shop.targets}
    return {name: f"http://127.0.0.1:{ports[part.sample]}" for name, part in parts.items() if part.sample}


def _compare(shop: ShopFile, path: Path, lines: LineIndex) -> list[Mistake]:
    """What is documented must be let through, and what is let through must be documented."""
    try:
        document = read_api(path.parent)
    except BadShop as bad:
        return list(bad.mistakes)
    if not document:
        return []
    mistakes, documented = [], set()
    for method, template, _ in operations(document):
        route = crosscheck.match(shop.routes, method, template)
        if route is not None:
            documented.add(route.name)
        elif template not in GATE_OWN and not (shop.models and template in GATE_OWN_MODELS):
            wrong = f"{method} {template} is documented, but no route lets it through"
            mistakes.append(
                Mistake(path.name, f"paths.{template}", None, wrong, f"add a route to {SHOP_FILE}")
            )
    for position, route in enumerate(shop.routes):
        if route.name not in documented:
            place = ("routes", position)
            wrong = f"{route.name!r} is let through, but not documented"
            mistakes.append(
                Mistake(SHOP_FILE, dotted(place), lines.find(place), wrong, f"describe it in {API_FILE}")
            )
    return mistakes


def _whole(path: Path, message: str, remedy: str) -> Mistake:
    return Mistake(str(path), "", None, message, remedy)


def _syntax(name: str, text: str, error: tomllib.TOMLDecodeError) -> Mistake:
    place = re.search(r"\(at line (\d+), column \d+\)", str(error))
    message = re.sub(r" \(at .*\)$", "", str(error))
    line = int(place[1]) if place else text.rstrip("\n").count("\n") + 1  # "at end of document"
    return Mistake(name, "", line, f"is no TOML: {message[0].lower()}{message[1:]}", "correct the line")
