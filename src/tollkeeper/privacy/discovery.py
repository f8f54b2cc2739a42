"""Brings the inventories of all apps together, and finds a subject's rows by them."""

from __future__ import annotations

import importlib
import importlib.util
import tomllib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.utils.module_loading import import_string

from tollkeeper.core.personal import Inventory, Model, Table


class BadInventory(Exception):
    """An inventory that cannot be used as it is written; the text says where and why."""


@cache
def inventory() -> Inventory:
    """All that the installed apps declare; raises :class:`BadInventory` where two declare the same."""
    found: dict[str, Model] = {}
    tables: dict[str, Table] = {}
    for config in apps.get_app_configs():
        name = f"{config.name}.inventory"
        if importlib.util.find_spec(name) is None:
            continue
        module = importlib.import_module(name)
        for label, model in module.INVENTORY.items():
            if label in found:
                raise BadInventory(f"{label} is declared twice, the second time in {name}")
            found[label] = model
        tables.update(getattr(module, "TABLES", {}))
    return Inventory(found, tables)


@dataclass(frozen=True, slots=True)
class PolicyNames:
    """What an inventory may name: each category with its purposes and its keep rules, each keep
    rule with its trigger."""

    categories: Mapping[str, tuple[frozenset[str], frozenset[str]]]
    purposes: frozenset[str]
    triggers: Mapping[str, str]


def policy_names(path: Path | None = None) -> PolicyNames:
    """The names of the shop's ``policy.toml``; raises ``OSError`` or ``tomllib.TOMLDecodeError``."""
    tree = tomllib.loads((path or Path(settings.SHOP) / "policy.toml").read_text())
    return PolicyNames(
        {
            name: (frozenset(category.get("purposes", ())), frozenset(category.get("keep", ())))
            for name, category in tree.get("categories", {}).items()
        },
        frozenset(tree.get("purposes", {})),
        {name: rule.get("trigger", "") for name, rule in tree.get("keep", {}).items()},
    )


def installed_models() -> dict[str, type[models.Model]]:
    """Every model with a table, by label, tables of many-to-many fields included."""
    return {
        model._meta.label: model
        for model in apps.get_models(include_auto_created=True)
        if not model._meta.proxy and not model._meta.swapped
    }


def follow(model: type[models.Model], path: str) -> models.Field[Any, Any]:
    """The last field of a dotted path over foreign keys; raises :class:`BadInventory`."""
    field: Any = None
    for step in path.split("."):
        if field is not None:
            if not field.is_relation or field.related_model is None:
                raise BadInventory(f"{path!r}: {field.name} leads nowhere")
            model = field.related_model
        try:
            field = model._meta.get_field(step)
        except FieldDoesNotExist:
            raise BadInventory(f"{path!r}: {model._meta.label} has no {step!r}") from None
    return field


def split_number(path: str) -> tuple[str, type[models.Model], str]:
    """``customer_id > accounts.Customer.owner`` as column, model and the path on from there."""
    column, _, rest = (part.strip() for part in path.partition(">"))
    app_label, model_name, onward = rest.split(".", 2)
    return column, apps.get_model(app_label, model_name), onward


def check_path(model: type[models.Model], entry: Model) -> None:
    """Raise :class:`BadInventory` if the way to the subject does not end at a user."""
    user = get_user_model()
    kind = entry.kind
    if kind == "self":
        if model is not user:
            raise BadInventory("path 'self' belongs to the user model only")
    elif kind in ("detached", "nobody"):
        if not entry.path.partition(":")[2].strip():
            raise BadInventory(f"path {kind!r} must say why")
    elif kind == "custom":
        import_string(entry.path.partition(":")[2].strip())
    elif kind == "number":
        try:
            column, other, onward = split_number(entry.path)
        except (ValueError, LookupError) as error:
            raise BadInventory(f"{entry.path!r}: {error}") from None
        follow(model, column)
        if follow(other, onward).related_model is not user:
            raise BadInventory(f"{entry.path!r} does not end at a user")
    elif follow(model, entry.path).related_model is not user:
        raise BadInventory(f"{entry.path!r} does not end at a user")


def rows_of(label: str, subject: uuid.UUID) -> models.QuerySet[Any]:
    """The rows of one model that are about a subject; none for ``detached`` and ``nobody``."""
    model = installed_models()[label]
    entry = inventory().models[label]
    rows = model._base_manager.all()
    match entry.kind:
        case "self":
            return rows.filter(pk=subject)
        case "link":
            return rows.filter(**{entry.path.replace(".", "__"): subject})
        case "number":
            column, other, onward = split_number(entry.path)
            owned = other._base_manager.filter(**{onward.replace(".", "__"): subject}).values("pk")
            return rows.filter(**{f"{column}__in": owned})
        case "custom":
            found: models.QuerySet[Any] = import_string(entry.path.partition(":")[2].strip())(subject)
            return found
    return rows.none()


def scope_reads() -> None:
    """Tell every sealed column which purposes its inventory lets it be read for."""
    models_by_label = installed_models()
    for label, entry in inventory().models.items():
        if label not in models_by_label:
            continue
        for name, column in entry.personal.items():
            field: Any = models_by_label[label]._meta.get_field(name)
            if getattr(field, "is_sealed", False):
                field.purposes = frozenset(column.purposes)
