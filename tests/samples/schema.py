"""Checks a value against the part of JSON Schema that our OpenAPI documents use."""

from __future__ import annotations

import re
from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
FORMATS = {"date-time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "date": r"\d{4}-\d\d-\d\d"}
KNOWN = frozenset(
    [
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "const",
        "pattern",
        "format",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "allOf",
        "oneOf",
        "anyOf",
        "$ref",
        "description",
        "default",
        "example",
        "examples",
        "title",
    ]
)


def resolve(document: dict[str, Any], value: Any) -> Any:
    """Follow a ``$ref`` within the document."""
    while isinstance(value, dict) and "$ref" in value:
        found: Any = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def errors(document: dict[str, Any], schema: Any, value: Any, at: str = "$") -> list[str]:
    """What is wrong with ``value``; empty if it fits. An unknown keyword of the schema is wrong, too."""
    schema = resolve(document, schema)
    found = [f"{at}: the schema has the unknown keyword {word}" for word in schema if word not in KNOWN]
    types = schema.get("type")
    if types is not None:
        names = [types] if isinstance(types, str) else types
        fits = any(isinstance(value, TYPES[name]) for name in names)
        if not fits or (isinstance(value, bool) and "boolean" not in names):
            return [*found, f"{at}: {value!r} is not {types}"]
    found += _combined(document, schema, value, at)
    if isinstance(value, str):
        found += _text(schema, value, at)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            found.append(f"{at}: {value} is out of bounds")
    elif isinstance(value, list):
        if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
            found.append(f"{at}: {len(value)} items")
        for position, item in enumerate(value):
            found += errors(document, schema.get("items", {}), item, f"{at}[{position}]")
    elif isinstance(value, dict):
        found += _table(document, schema, value, at)
    return found


def _combined(document: dict[str, Any], schema: dict[str, Any], value: Any, at: str) -> list[str]:
    found: list[str] = []
    for part in schema.get("allOf", ()):
        found += errors(document, part, value, at)
    for word in ("oneOf", "anyOf"):
        if word in schema and not any(not errors(document, part, value, at) for part in schema[word]):
            found.append(f"{at}: fits none of {word}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is not in {schema['enum']}")
    if "const" in schema and value != schema["const"]:
        found.append(f"{at}: {value!r} is not {schema['const']!r}")
    return found


def _text(schema: dict[str, Any], value: str, at: str) -> list[str]:
    found = []
    if "pattern" in schema and re.search(schema["pattern"], value) is None:
        found.append(f"{at}: {value!r} does not match {schema['pattern']}")
    if "format" in schema and re.fullmatch(FORMATS[schema["format"]], value) is None:
        found.append(f"{at}: {value!r} is no {schema['format']}")
    if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        found.append(f"{at}: {len(value)} characters")
    return found


def _table(document: dict[str, Any], schema: dict[str, Any], value: dict[str, Any], at: str) -> list[str]:
    known = schema.get("properties", {})
    found = [f"{at}: {name} is missing" for name in schema.get("required", ()) if name not in value]
    for name, item in value.items():
        if name in known:
            found += errors(document, known[name], item, f"{at}.{name}")
        elif schema.get("additionalProperties") is False:
            found.append(f"{at}: {name} is not documented")
        elif isinstance(schema.get("additionalProperties"), dict):
            found += errors(document, schema["additionalProperties"], item, f"{at}.{name}")
    return found
