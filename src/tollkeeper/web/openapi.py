"""The shop's OpenAPI 3.1 document as pages need it: references followed, rows instead of trees."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tollkeeper.catalog import shopfile

Node = dict[str, Any]
MAX_DEPTH = 6
_BOUNDS = (
    ("minimum", "maximum", ""),
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " entries"),
)
"""Lower bound, upper bound, and what they count."""


@dataclass(frozen=True, slots=True)
class Row:
    """One field of a schema, with the fields of the table within it."""

    name: str
    type: str
    description: str
    required: bool
    facts: tuple[str, ...]
    choices: tuple[str, ...]
    default: str
    inner: tuple[Row, ...] = ()


@dataclass(frozen=True, slots=True)
class Content:
    """A body: its media type, its fields and an example as text."""

    media: str
    rows: tuple[Row, ...]
    example: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """``where`` is ``path``, ``query`` or ``header``; ``example`` is None where none is given."""

    where: str
    row: Row
    example: Any


@dataclass(frozen=True, slots=True)
class Response:
    status: str
    description: str
    headers: tuple[Row, ...]
    content: Content | None


@dataclass(frozen=True, slots=True)
class Operation:
    slug: str
    method: str
    path: str
    tag: str
    summary: str
    description: str
    parameters: tuple[Parameter, ...]
    body: Content | None
    responses: tuple[Response, ...]

    def wants(self, where: str) -> tuple[Parameter, ...]:
        """The parameters of one place."""
        return tuple(parameter for parameter in self.parameters if parameter.where == where)


@dataclass(frozen=True, slots=True)
class Tag:
    name: str
    description: str
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Document:
    title: str
    version: str
    summary: str
    description: str
    server: str
    tags: tuple[Tag, ...]
    raw: Node

    def find(self, slug: str) -> Operation | None:
        """The operation of a page."""
        return next((op for tag in self.tags for op in tag.operations if op.slug == slug), None)


def load(folder: Path) -> Document | None:
    """The document of a shop's folder, read again when the file changes; None if there is none."""
    path = folder / shopfile.API_FILE
    try:
        return _load(folder, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return None


@lru_cache(maxsize=4)
def _load(folder: Path, changed_ns: int) -> Document:
    raw = shopfile.read_api(folder)
    return read(raw)


def read(raw: Node) -> Document:
    """A whole document as facts."""
    info, servers = raw.get("info", {}), raw.get("servers") or [{}]
    found: dict[str, list[Operation]] = {tag["name"]: [] for tag in raw.get("tags", ())}
    for method, path, node in shopfile.operations(raw):
        operation = _operation(raw, method, path, node)
        found.setdefault(operation.tag, []).append(operation)
    words = {tag["name"]: tag.get("description", "") for tag in raw.get("tags", ())}
    return Document(
        title=info.get("title", ""),
        version=str(info.get("version", "")),
        summary=info.get("summary", ""),
        description=info.get("description", ""),
        server=str(servers[0].get("url", "")).rstrip("/"),
        tags=tuple(Tag(name, words.get(name, ""), tuple(ops)) for name, ops in found.items() if ops),
        raw=raw,
    )


def resolve(raw: Node, node: Any) -> Any:
    """Follow references within the document; an open one is an empty schema."""
    for _ in range(20):
        if not isinstance(node, dict) or "$ref" not in node:
            return node
        target: Any = raw
        for part in str(node["$ref"]).removeprefix("#/").split("/"):
            key = part.replace("~1", "/").replace("~0", "~")
            target = target.get(key, {}) if isinstance(target, dict) else {}
        node = target
    return {}


def _operation(raw: Node, method: str, path: str, node: Node) -> Operation:
    name = node.get("operationId") or f"{method.lower()}{path}"
    shared = raw["paths"][path].get("parameters", ())
    parameters = [resolve(raw, item) for item in (*shared, *node.get("parameters", ()))]
    body = resolve(raw, node.get("requestBody"))
    return Operation(
        slug=re.sub(r"[^a-z0-9]+", "-", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()).strip("-"),
        method=method,
        path=path,
        tag=next(iter(node.get("tags", ())), "API"),
        summary=node.get("summary") or name,
        description=node.get("description", ""),
        parameters=tuple(_parameter(raw, item) for item in parameters),
        body=_content(raw, body) if body else None,
        responses=tuple(
            _response(raw, str(status), resolve(raw, item))
            for status, item in node.get("responses", {}).items()
        ),
    )


def _parameter(raw: Node, node: Node) -> Parameter:
    schema = resolve(raw, node.get("schema", {}))
    example = node.get("example", schema.get("example"))
    row = _row(
        raw, node["name"], {**schema, "description": node.get("description", "")}, node.get("required", False)
    )
    return Parameter(where=node.get("in", "query"), row=row, example=example)


def _response(raw: Node, status: str, node: Node) -> Response:
    headers = [
        _row(
            raw,
            name,
            {**resolve(raw, resolve(raw, item).get("schema", {})), **_words(resolve(raw, item))},
            False,
        )
        for name, item in node.get("headers", {}).items()
    ]
    return Response(status, node.get("description", ""), tuple(headers), _content(raw, node))


def _words(node: Node) -> Node:
    return {"description": node.get("description", "")}


def _content(raw: Node, node: Node) -> Content | None:
    for media, item in node.get("content", {}).items():
        schema = resolve(raw, item.get("schema", {}))
        example = item.get("example")
        if example is None and item.get("examples"):
            example = resolve(raw, next(iter(item["examples"].values()))).get("value")
        if example is None:
            example = example_of(raw, schema)
        text = example if isinstance(example, str) else json.dumps(example, ensure_ascii=False, indent=2)
        return Content(
            media=media, rows=tuple(rows(raw, schema)), example=text if example not in (None, {}) else ""
        )
    return None


def rows(raw: Node, schema: Node, depth: int = 0) -> Iterator[Row]:
    """The fields of an object schema, of an array of objects, or of all variants of either."""
    schema = _flat(raw, schema)
    if "items" in schema and "properties" not in schema:
        schema = _flat(raw, schema["items"])
    for variant in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        yield from rows(raw, variant, depth)
    for name, node in schema.get("properties", {}).items():
        inner = tuple(rows(raw, node, depth + 1)) if depth < MAX_DEPTH else ()
        yield _row(raw, name, node, name in schema.get("required", ()), inner)


def _flat(raw: Node, node: Any, depth: int = 0) -> Node:
    """A schema with its reference and its ``allOf`` folded in; what stands nearer wins."""
    node = resolve(raw, node)
    if not isinstance(node, dict) or depth > MAX_DEPTH:
        return {}
    flat: Node = {}
    for part in (*(_flat(raw, part, depth + 1) for part in node.get("allOf", ())), node):
        properties = {**flat.get("properties", {}), **part.get("properties", {})}
        required = [*flat.get("required", ()), *part.get("required", ())]
        flat |= {key: value for key, value in part.items() if key != "allOf"}
        if properties:
            flat |= {"properties": properties, "required": required}
    return flat


def _row(raw: Node, name: str, schema: Node, required: bool, inside: tuple[Row, ...] = ()) -> Row:
    schema = _flat(raw, schema)
    inner = _flat(raw, schema["items"]) if "items" in schema else schema
    limits = {**inner, **schema}
    facts = [
        _span(limits.get(low), limits.get(high)) + what
        for low, high, what in _BOUNDS
        if {low, high} & set(limits)
    ]
    default = schema.get("default")
    return Row(
        name=name,
        type=type_name(raw, schema),
        description=schema.get("description", ""),
        required=required,
        facts=tuple(facts),
        choices=tuple(_shown(choice) for choice in inner.get("enum", ())),
        default="" if default in (None, "") else _shown(default),
        inner=inside,
    )


def _span(low: Any, high: Any) -> str:
    if high is None:
        return f"at least {low}"
    return f"at most {high}" if low is None else f"{low} to {high}"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value)


def type_name(raw: Node, schema: Node) -> str:
    """``string``, ``array of integer``, ``string (date-time) or null``."""
    schema = _flat(raw, schema)
    variants = [*schema.get("oneOf", ()), *schema.get("anyOf", ())]
    if variants and "type" not in schema:
        return " or ".join(dict.fromkeys(type_name(raw, variant) for variant in variants))
    kinds = schema.get("type", "object" if "properties" in schema else "any")
    names = [kinds] if isinstance(kinds, str) else list(kinds)
    if "array" in names and "items" in schema:
        names[names.index("array")] = f"array of {type_name(raw, schema['items'])}"
    if "format" in schema:
        names[0] = f"{names[0]} ({schema['format']})"
    return " or ".join(names)


def example_of(raw: Node, schema: Node, depth: int = 0) -> Any:
    """A value that fits a schema, from its examples and defaults."""
    schema = _flat(raw, schema)
    for word in ("example", "const", "default"):
        if word in schema:
            return schema[word]
    if schema.get("enum"):
        return schema["enum"][0]
    kinds = schema.get("type")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if "properties" in schema:
        if depth > MAX_DEPTH:
            return {}
        return {name: example_of(raw, node, depth + 1) for name, node in schema["properties"].items()}
    if kind == "array":
        return [example_of(raw, schema.get("items", {}), depth + 1)] if depth <= MAX_DEPTH else []
    plain: Node = {"string": "…", "integer": 0, "number": 0, "boolean": False, "object": {}}
    return plain.get(str(kind))
