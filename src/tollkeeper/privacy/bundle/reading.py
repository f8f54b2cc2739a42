"""Checking a copy, and taking it into another house.

What is taken in keeps its ids, so that the rows still fit together; therefore the house must
hold nobody of the same ids. Left behind is what only has a meaning where it was made: the
chain of the audit trail, keys and sessions whose secrets no copy holds, rows that hang on
things of the old shop. The answer says what was left and why.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from django.contrib.auth.hashers import make_password
from django.core.management.color import no_style
from django.db import IntegrityError, connection, models, transaction
from django.utils.dateparse import parse_datetime

from tollkeeper.core.personal import Export
from tollkeeper.core.refusal import Refused
from tollkeeper.kit import signing
from tollkeeper.kit.fields import EpochField
from tollkeeper.kit.sealed import SealedTextField
from tollkeeper.privacy.bundle.writing import FORMAT
from tollkeeper.privacy.copying import STAFF
from tollkeeper.privacy.discovery import installed_models, inventory

_BATCH = 1_000
_LEFT = {
    "trail.": "the audit trail of a house is a chain of its own",
    "keystore.": "every house seals under keys of its own",
    "accounts.User_": "roles are given by a house, not brought",
    "privacy.AuthorityCase": "a case of the house it was opened in",
    "privacy.Hold": "an order to the house it was made in",
    "privacy.PolicyNotice": "about a policy of the old house",
    "usersessions.": "sessions end with the house",
}


class BadCopy(Refused):
    """A file that is no copy, was changed, or cannot be taken in; one sentence."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a copy says of itself, once every file was read and fits the signed manifest."""

    shop: str
    made_at: str
    public_key: str
    rows: dict[str, int]
    files: int


@dataclass(frozen=True, slots=True)
class TakenIn:
    """Rows by table that were taken in, and tables that were left with the reason."""

    rows: dict[str, int]
    left: dict[str, str]


def check_copy(path: Path, key: str = "") -> Checked:
    """Read every file of a copy and compare it with the signed manifest. Raises :class:`BadCopy`.

    ``key`` is the published key of the shop, in hex; without it the key in the manifest is
    believed, which shows damage but not a forgery.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            raw = archive.read("manifest.json")
            manifest = json.loads(raw)
            if manifest.get("format") != FORMAT:
                raise BadCopy(f"{path.name} is not of the format {FORMAT}")
            if not signing.check(raw, archive.read("manifest.sig").hex(), key or manifest["public_key"]):
                raise BadCopy("the manifest was not signed by this key")
            named = {one["path"]: one["sha256"] for one in manifest["files"]}
            extra = set(archive.namelist()) - set(named) - _UNSIGNED
            if extra:
                raise BadCopy(f"{sorted(extra)[0]} is not in the manifest")
            for name, digest in named.items():
                with archive.open(name) as member:
                    if hashlib.file_digest(member, "sha256").hexdigest() != digest:  # type: ignore[arg-type]
                        raise BadCopy(f"{name} was changed")
    except (OSError, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise BadCopy(f"{path.name} is no whole copy ({type(error).__name__})") from None
    return Checked(
        manifest["shop"], manifest["made_at"], manifest["public_key"], manifest["rows"], len(named)
    )


_UNSIGNED = {"manifest.json", "manifest.sig", "SHA256SUMS", "public-key.pem"}


def _rows(archive: zipfile.ZipFile, label: str) -> Iterator[dict[str, Any]]:
    with archive.open(f"data/{label}.json") as member:
        for line in member:
            text = line.strip().rstrip(b",")
            if text not in (b"[", b"]", b""):
                yield json.loads(text)


def _value(field: Any, value: Any) -> Any:
    """A value of a copy as its column takes it."""
    if value is None:
        return None
    if isinstance(field, EpochField):
        return parse_datetime(value)
    if isinstance(field, SealedTextField):
        return value
    if isinstance(field, models.BinaryField):
        return bytes.fromhex(value)
    if isinstance(field, models.ForeignKey):
        return _value(field.target_field, value)
    return field.to_python(value)


def _reason_to_leave(label: str) -> str:
    """Why no row of a table can be taken in, or an empty text."""
    why = next((reason for start, reason in _LEFT.items() if label.startswith(start)), "")
    if why:
        return why
    entry, model = inventory().models[label], installed_models()[label]
    for name, column in entry.personal.items():
        field: Any = model._meta.get_field(name)
        if (
            column.export is Export.WITHHELD
            and not field.null
            and not field.has_default()
            and name != "password"
        ):
            return f"its {name} is a secret that no copy holds"
    return ""


def _order(labels: list[str]) -> list[str]:
    """Tables in such an order that what a row hangs on comes before it."""
    known, made = installed_models(), list[str]()

    def visit(label: str, way: frozenset[str]) -> None:
        if label in made or label in way:
            return
        for field in known[label]._meta.concrete_fields:
            if isinstance(field, models.ForeignKey) and field.related_model._meta.label in labels:
                visit(field.related_model._meta.label, way | {label})
        made.append(label)

    for label in sorted(labels):
        visit(label, frozenset())
    return made


def _take(archive: zipfile.ZipFile, label: str) -> tuple[int, str]:
    """Take the rows of one table in; how many, and why others stayed."""
    model = installed_models()[label]
    fields = {field.name: field for field in model._meta.concrete_fields}
    links = {name: field for name, field in fields.items() if isinstance(field, models.ForeignKey)}
    rows, done, left = _rows(archive, label), 0, 0
    while batch := list(islice(rows, _BATCH)):
        made = []
        for row in batch:
            for name in links:
                if row.get(name) == STAFF:
                    row[name] = None
            values = {fields[name].attname: _value(fields[name], value) for name, value in row.items()}
            if label == "accounts.User":
                values["password"] = make_password(None)
            made.append(model(**values))
        gone = _missing(made, links)
        kept = [one for one in made if id(one) not in gone]
        model._base_manager.bulk_create(kept)
        done, left = done + len(kept), left + len(gone)
    return done, f"{left} rows hang on things of the old shop" if left else ""


def _missing(made: list[Any], links: dict[str, Any]) -> set[int]:
    """Rows whose required link leads nowhere here; an optional one is cut instead."""
    gone: set[int] = set()
    for field in links.values():
        wanted = {getattr(one, field.attname) for one in made} - {None}
        there = set(field.related_model._base_manager.filter(pk__in=wanted).values_list("pk", flat=True))
        there |= {one.pk for one in made} if field.related_model is type(made[0]) else set()
        for one in made:
            value = getattr(one, field.attname)
            if value is None and not field.null:
                gone.add(id(one))
            elif value is not None and value not in there:
                if field.null:
                    setattr(one, field.attname, None)
                else:
                    gone.add(id(one))
    return gone


def take_in(path: Path, key: str = "") -> TakenIn:
    """Take a checked copy into this house, all or nothing. Raises :class:`BadCopy`."""
    checked = check_copy(path, key)
    known = installed_models()
    left = {label: why for label in checked.rows if label in known and (why := _reason_to_leave(label))}
    left |= {label: "there is no such table here" for label in checked.rows if label not in known}
    wanted = [label for label, rows in checked.rows.items() if rows and label not in left]
    taken: dict[str, int] = {}
    try:
        with zipfile.ZipFile(path) as archive, transaction.atomic():
            for label in _order(wanted):
                taken[label], why = _take(archive, label)
                if why:
                    left[label] = why
            with connection.cursor() as cursor:
                for statement in connection.ops.sequence_reset_sql(
                    no_style(), [known[one] for one in wanted]
                ):
                    cursor.execute(statement)
    except IntegrityError:
        raise BadCopy(
            "this house already holds rows with the same numbers; take it into an empty one"
        ) from None
    except (TypeError, ValueError, LookupError) as error:
        raise BadCopy(
            f"a row does not fit its table ({type(error).__name__}): another version made it"
        ) from None
    return TakenIn(
        {label: rows for label, rows in taken.items() if rows},
        {k: v for k, v in left.items() if checked.rows[k]},
    )
