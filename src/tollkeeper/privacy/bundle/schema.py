"""JSON Schema (draft 2020-12) of one table of a copy: made from its columns, never written by hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models

from tollkeeper.core.personal import Personal
from tollkeeper.kit.fields import EpochField
from tollkeeper.kit.sealed import SealedJSONField
from tollkeeper.privacy.copying import Part
from tollkeeper.privacy.discovery import inventory

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_KINDS: tuple[tuple[type[models.Field[Any, Any]], dict[str, Any]], ...] = (
    (EpochField, {"type": "string", "format": "date-time"}),
    (SealedJSONField, {}),
    (models.JSONField, {}),
    (models.DateTimeField, {"type": "string", "format": "date-time"}),
    (models.DateField, {"type": "string", "format": "date"}),
    (models.BooleanField, {"type": "boolean"}),
    (models.IntegerField, {"type": "integer"}),
    (models.AutoField, {"type": "integer"}),
    (models.FloatField, {"type": "number"}),
    (models.UUIDField, {"type": "string", "format": "uuid"}),
    (models.BinaryField, {"type": "string", "pattern": "^[0-9a-f]*$"}),
)


def _kind(field: models.Field[Any, Any]) -> dict[str, Any]:
    if isinstance(field, models.ForeignKey):
        # a person other than the subject is named "staff" and not by a number
        return {"type": "string"} if field.related_model is get_user_model() else _kind(field.target_field)
    for kind, words in _KINDS:
        if isinstance(field, kind):
            return dict(words)
    return {"type": "string"}


def _property(field: models.Field[Any, Any], told: object) -> dict[str, Any]:
    made = _kind(field)
    if field.null and "type" in made:
        made["type"] = [made["type"], "null"]
    if isinstance(told, Personal):
        made |= {"x-category": told.category, "x-purposes": list(told.purposes), "x-origin": str(told.export)}
    return made


def schema_of(part: Part, columns: Iterable[str]) -> dict[str, Any]:
    """The schema of the file that holds ``columns`` of a part: an array with one object for each row.

    Personal columns carry ``x-category``, ``x-purposes`` (names of the policy) and ``x-origin``
    (``provided`` by the person or ``observed``).
    """
    model, entry = part.found.model, inventory().models[part.label]
    names = list(columns)
    properties = {name: _property(model._meta.get_field(name), entry.columns[name]) for name in names}
    return {
        "$schema": DRAFT,
        "title": part.label,
        "type": "array",
        "items": {
            "type": "object",
            "properties": properties,
            "required": names,
            "additionalProperties": False,
        },
    }
