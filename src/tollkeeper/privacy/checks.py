"""What refuses the boot: columns, keep rules and categories that do not fit together (E1 to E10).

E1 a column no inventory names (or a named one that does not exist); E2 no way to the subject;
E3 a category or purpose the policy does not have; E4 a category without a column; E5 no
period, or one that nothing can carry out; E6 a column in the database that no model knows;
E7 a JSON column without its keys; E8 a text form or search that shows personal values;
E9 a sealed column that the database is asked to sort or compare; E10 a period that the policy
names and nothing is kept by.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.core.exceptions import ObjectDoesNotExist
from django.db import connections, models

from tollkeeper.core.personal import Export, Inventory, Model, Personal
from tollkeeper.privacy.discovery import (
    BadInventory,
    PolicyNames,
    check_path,
    follow,
    installed_models,
    inventory,
    policy_names,
)

_CANARY = "canary-7f3a9c51"
BY_LOGS = {"jobs"}
"""Periods of what is no column: work that is done, and lines of logs (added once models are loaded)."""
LOGGED = frozenset({"technical.ip", "technical.times", "usage.calls"})
"""Categories that lines of logs hold."""


def _error(number: int, text: str, where: str) -> Error:
    return Error(f"{where}: {text}", id=f"privacy.E{number}")


def check_model(model: type[models.Model], entry: Model | None, names: PolicyNames) -> Iterator[Error]:
    """E1, E2, E3, E5, E7, E8 and E9 for one model."""
    label = model._meta.label
    fields: dict[str, Any] = {field.name: field for field in model._meta.concrete_fields}
    if entry is None:
        yield _error(1, f"no inventory declares this model with its columns {', '.join(fields)}", label)
        return
    for name in fields.keys() - entry.columns.keys():
        yield _error(1, "this column is not declared in the inventory", f"{label}.{name}")
    for name in entry.columns.keys() - fields.keys():
        yield _error(1, "the inventory declares a column that does not exist", f"{label}.{name}")
    yield from _led_back(model, entry, label)
    for name in fields.keys() & entry.columns.keys():
        yield from _column(model, entry, name, names)
    yield from _shown(model, entry, label)
    yield from _sorted(model, fields, label)


def _led_back(model: type[models.Model], entry: Model, label: str) -> Iterator[Error]:
    try:
        check_path(model, entry)
    except (BadInventory, ImportError) as mistake:
        yield _error(2, str(mistake), label)
    if entry.kind == "nobody":
        for name in entry.personal:
            yield _error(2, "is personal, but the model says its rows are about nobody", f"{label}.{name}")


def _column(model: type[models.Model], entry: Model, name: str, names: PolicyNames) -> Iterator[Error]:
    where = f"{model._meta.label}.{name}"
    field: Any = model._meta.get_field(name)
    column = entry.columns[name]
    if isinstance(column, Personal):
        yield from _named(column, names, where)
        yield from _kept(model, entry, name, names, where)
    sealed = isinstance(column, Personal) and column.sealed
    # a column called sealed_… holds tokens that its app's services seal and open
    if sealed != (getattr(field, "is_sealed", False) or name.startswith("sealed_")):
        yield _error(1, "what the inventory says of sealing is not what the field does", where)
    if "JSON" in type(field).__name__ and not column.keys:
        yield _error(7, "a JSON column must name its keys", where)


def _named(column: Personal, names: PolicyNames, where: str) -> Iterator[Error]:
    if column.category not in names.categories:
        yield _error(3, f"the policy has no category {column.category!r}", where)
    allowed, _ = names.categories.get(column.category, (names.purposes, frozenset()))
    for purpose in column.purposes:
        if purpose not in names.purposes:
            yield _error(3, f"the policy has no purpose {purpose!r}", where)
        elif purpose not in allowed:
            yield _error(3, f"the policy does not use {column.category!r} for {purpose!r}", where)


def _kept(
    model: type[models.Model], entry: Model, name: str, names: PolicyNames, where: str
) -> Iterator[Error]:
    keep = entry.keep_of(name)
    if keep is None:
        yield _error(5, "a personal column needs a keep rule", where)
        return
    if keep.rule not in names.triggers:
        yield _error(5, f"the policy has no keep rule {keep.rule!r}", where)
        return
    category = entry.personal[name].category
    if category in names.categories and keep.rule not in names.categories[category][1]:
        yield _error(5, f"the policy does not keep {category!r} by the rule {keep.rule!r}", where)
    if keep.since:
        try:
            last = follow(model, keep.since)
        except BadInventory as mistake:
            yield _error(5, f"nothing can carry the rule out: {mistake}", where)
            return
        if not isinstance(last, models.DateField | models.BigIntegerField):
            yield _error(5, f"{keep.since!r} is not an instant or a day", where)
    elif names.triggers[keep.rule] == "row":
        yield _error(5, f"the rule {keep.rule!r} counts from the row: name `since`", where)
    elif entry.kind == "detached":
        yield _error(5, "a detached row has no account whose closure could start the period", where)


def _shown(model: type[models.Model], entry: Model, label: str) -> Iterator[Error]:
    texts = [
        name
        for name, column in entry.personal.items()
        # what a person gave, or what is sealed; numbers and states that we made may be shown
        if (column.sealed or column.export is Export.PROVIDED)
        and isinstance(model._meta.get_field(name), models.CharField | models.TextField)
    ]
    if not texts:
        return
    row = model(**dict.fromkeys(texts, _CANARY))
    try:
        shown = str(row)
    except (ObjectDoesNotExist, AttributeError, TypeError):
        return  # the text form needs other rows; those are checked as models of their own
    if _CANARY in shown:
        yield _error(8, "str() shows a personal column; use a pseudonym", label)


def _sorted(model: type[models.Model], fields: dict[str, Any], label: str) -> Iterator[Error]:
    sealed = {name for name, field in fields.items() if getattr(field, "is_sealed", False)}
    if not sealed:
        return
    meta = model._meta
    asked: set[str] = set()
    latest: Any = meta.get_latest_by or ()
    ordering: Any = meta.ordering or ()
    for one in (*ordering, *([latest] if isinstance(latest, str) else latest)):
        expression: Any = getattr(one, "expression", one)
        asked.add(str(getattr(expression, "name", one)).lstrip("-"))
    for index in meta.indexes:
        asked.update(name.lstrip("-") for name in index.fields)
    for constraint in meta.constraints:
        asked.update(getattr(constraint, "fields", ()))
    for group in meta.unique_together:
        asked.update(group)
    asked.update(name for name in sealed if fields[name].unique or fields[name].db_index)
    for name in sorted(sealed & asked):
        yield _error(9, "is sealed: the database can neither sort nor compare it", f"{label}.{name}")


def check_all(found: Inventory, names: PolicyNames) -> list[Error]:
    """E1 to E5 and E7 to E9 over all installed models."""
    errors: list[Error] = []
    known = installed_models()
    for label, model in known.items():
        errors += check_model(model, found.models.get(label), names)
    for label in found.models.keys() - known.keys():
        errors.append(_error(1, "the inventory declares a model that is not installed", label))
    used = {column.category for entry in found.models.values() for column in entry.personal.values()}
    for category in sorted(names.categories.keys() - used):
        errors.append(_error(4, "no column is of this category", f"policy category {category!r}"))
    return errors


def unused_periods(found: Inventory, names: PolicyNames) -> list[Error]:
    """E10: keep rules that no column, log or work follows, and those of a category that none of its
    columns does: a page that names a period nobody uses says more than is true."""
    used: dict[str, set[str]] = {}
    for entry in found.models.values():
        for name, column in entry.personal.items():
            if (keep := entry.keep_of(name)) is not None:
                used.setdefault(column.category, set()).add(keep.rule)
    errors = []
    for rule in sorted(names.triggers.keys() - BY_LOGS - {one for rules in used.values() for one in rules}):
        errors.append(_error(10, "nothing is kept by this period", f"policy keep {rule!r}"))
    for category, (_, rules) in names.categories.items():
        logged = BY_LOGS if category in LOGGED else set[str]()
        for rule in sorted(rules - used.get(category, set()) - logged):
            errors.append(_error(10, f"no column of it is kept by {rule!r}", f"policy category {category!r}"))
    return errors


def check_tables(found: Inventory, alias: str) -> list[Error]:
    """E6: tables and columns of one database that no model and no inventory knows."""
    known: dict[str, set[str]] = {
        model._meta.db_table: {str(field.column) for field in model._meta.concrete_fields}
        for model in installed_models().values()
    }
    known.update({name: set(table.columns) for name, table in found.tables.items()})
    errors = []
    connection = connections[alias]
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table not in known:
                errors.append(_error(6, "no model and no inventory knows this table", f"{alias}: {table}"))
                continue
            # not introspection.get_table_description: on SQLite it stumbles over commas in a CHECK
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)} LIMIT 0")  # noqa: S608 - a quoted table name
            for column in cursor.description:
                if column[0] not in known[table]:
                    errors.append(_error(6, "no model knows this column", f"{alias}: {table}.{column[0]}"))
    return errors


@register("privacy")
def declared(app_configs: Any = None, **_: Any) -> list[CheckMessage]:
    """Django's system check over inventories and policy."""
    try:
        return [*check_all(inventory(), policy_names()), *unused_periods(inventory(), policy_names())]
    except (BadInventory, OSError, tomllib.TOMLDecodeError) as mistake:
        return [_error(1, str(mistake), "privacy")]


@register("privacy", Tags.database)
def stored(app_configs: Any = None, databases: Iterable[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Django's system check over what the databases really hold."""
    try:
        return [error for alias in databases or () for error in check_tables(inventory(), alias)]
    except BadInventory:
        return []  # told by the other check


class Undeclared(Exception):
    """The boot is refused: the text lists every column and rule to mend."""


def require() -> None:
    """Raise :class:`Undeclared` unless every column is declared: called when a process starts."""
    errors = declared()
    if errors:
        lines = "\n".join(f"  {error.id} {error.msg}" for error in errors)
        raise Undeclared(f"{settings.SHOP_NAME}: personal data is not declared as it must be:\n{lines}")
