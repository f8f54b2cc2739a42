"""Rotation of the installation's own keys, while the shop runs.

Which step comes next is told by the files in ``secrets`` alone, so that a rotation that was
killed anywhere goes on where it was:

1. ``index``: nothing is going on. :func:`begin` writes ``index.next``: every process reads by
   it within a second, none writes with it yet.
2. ``index``, ``index.next``: :func:`use` keeps the present key as ``index.old`` and puts the
   next one in its place. Both are read, the new one writes.
3. ``index``, ``index.old``: :func:`rewrite` brings every row under the new key.
4. :func:`finish` destroys ``index.old`` once no row and no copy of the keystore needs it.

``kek`` (what wraps the keys of people and of days) goes the same way.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import IntegrityError, connections, models, transaction

from tollkeeper.kit import audit, backups, log_keys
from tollkeeper.kit.bound import HEAD_CHARS, MARKER, BoundTextField
from tollkeeper.kit.keystore import ring, vault
from tollkeeper.kit.keystore.models import LogSecret, SubjectKey
from tollkeeper.kit.sealed import Damaged, Erased, open_bytes, preload

NAMES = ("index", "kek")
SETTLE_S = 3.0
"""How long every process surely takes to see that the files changed."""
BATCH = 500


@dataclass(frozen=True, slots=True)
class State:
    """``step``: rest, begun or used. ``since`` is when the step was reached."""

    name: str
    step: str
    since: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Rewritten:
    """Rows that changed, rows of erased people whose mark was made meaningless, rows that could not be."""

    changed: int = 0
    blinded: int = 0
    failed: int = 0


def _file(name: str, suffix: str = "") -> Path:
    return Path(settings.ENV.home) / "secrets" / f"{name}{suffix}"


def state(name: str) -> State:
    """How far the rotation of a key is."""
    for suffix, step in ((".next", "begun"), (".old", "used")):
        path = _file(name, suffix)
        if path.exists():
            return State(name, step, dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC))
    return State(name, "rest", None)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def _put(path: Path, write: Any) -> None:
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    write(part)
    _sync(part)
    part.replace(path)
    _sync(path.parent)


def begin(name: str) -> None:
    """Make the next key; nothing where a rotation is going on."""
    if state(name).step == "rest":
        _put(_file(name, ".next"), lambda part: part.write_bytes(secrets.token_bytes(ring.KEY_BYTES)))


def use(name: str) -> None:
    """Write with the next key from now on; call it :data:`SETTLE_S` after :func:`begin`."""
    if state(name).step != "begun":
        return
    if not _file(name, ".old").exists():
        _put(_file(name, ".old"), lambda part: shutil.copyfile(_file(name), part))
    _file(name, ".next").replace(_file(name))
    _sync(_file(name).parent)


def rewrite(name: str) -> Rewritten:
    """Bring all rows under the newest key, :data:`SETTLE_S` after :func:`use`. Can be repeated."""
    ring.look_again()
    if name == "kek":
        return Rewritten(changed=vault.rewrap() + log_keys.rewrap())
    changed = blinded = failed = 0
    for field in _bound_fields():
        for rows in _batches(field):
            one = _rewrite_batch(field, rows)
            changed, blinded, failed = changed + one.changed, blinded + one.blinded, failed + one.failed
    return Rewritten(changed, blinded, failed)


def needed_until(name: str) -> dt.date | None:
    """The day until which a copy of the keystore needs the old key; None if none does."""
    if name != "kek" or state(name).step != "used":
        return None
    since = state(name).since or dt.datetime.max.replace(tzinfo=dt.UTC)
    made = [path.stat().st_mtime for path in backups.key_folder().glob("*.sqlite3")]
    older = [at for at in made if at <= since.timestamp()]
    if not older:
        return None
    return dt.datetime.fromtimestamp(max(older), dt.UTC).date() + dt.timedelta(days=backups.KEY_DAYS + 1)


def is_done(name: str) -> bool:
    """Whether nothing stored needs the old key any more."""
    if name == "kek":
        newest = next(iter(ring.current().by_id))
        rows = (SubjectKey.objects, LogSecret.objects)
        left = [one.filter(wrapped__isnull=False).exclude(kek_id=newest).exists() for one in rows]
        return not any(left) and needed_until(name) is None
    return rewrite(name) == Rewritten()


def finish(name: str) -> bool:
    """Destroy the old key; False where something still needs it, or there is none."""
    if state(name).step != "used" or not is_done(name):
        return False
    path = _file(name, ".old")
    with path.open("r+b") as file:
        file.write(secrets.token_bytes(ring.KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    _sync(path.parent)
    ring.look_again()
    audit.record("key.rotated", object=f"secret:{name}")
    return True


# ---- blind marks


def _bound_fields() -> list[BoundTextField]:
    return [
        field
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.concrete_fields
        if isinstance(field, BoundTextField) and not model._meta.proxy
    ]


Row = tuple[Any, str]


def _batches(field: BoundTextField) -> Iterator[list[Row]]:
    """Key and stored form of every row, by key."""
    model: type[models.Model] = field.model
    connection = connections["default"]
    quote = connection.ops.quote_name
    key: Any = model._meta.pk
    table, column = quote(model._meta.db_table), quote(str(field.column))
    last: Any = None
    while True:
        after = f"AND {quote(key.column)} > %s" if last is not None else ""
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {quote(key.column)}, {column} FROM {table} WHERE {column} <> '' {after}"  # noqa: S608
                f" ORDER BY {quote(key.column)} LIMIT {BATCH}",
                [last] if last is not None else [],
            )
            rows = cursor.fetchall()
        if not rows:
            return
        yield [(row[0], str(row[1])) for row in rows]
        last = rows[-1][0]


def _rewrite_batch(field: BoundTextField, rows: list[Row]) -> Rewritten:
    preload(owner for _, stored in rows if (owner := _owner(stored)) is not None)
    wanted: list[tuple[str, Any, str]] = []
    blinded = failed = 0
    for key, stored in rows:
        try:
            head = _head(field, stored)
        except Erased:
            # nobody can look this up any more; a mark under a key that lives would only tell who it was
            if not stored.startswith(f"{MARKER}-"):
                blinded += 1
                wanted.append((_blank() + stored[HEAD_CHARS:], key, stored))
            continue
        except (Damaged, ValueError):
            failed += 1
            continue
        if not stored.startswith(head):
            wanted.append((head + stored[HEAD_CHARS:], key, stored))
    done = _store(field, wanted)
    return Rewritten(done - min(done, blinded), blinded, failed + len(wanted) - done)


def _blank() -> str:
    return f"{MARKER}-{secrets.token_urlsafe(18)[: ring.TOKEN_CHARS - 1]}"


def _owner(stored: str) -> uuid.UUID | None:
    try:
        _, _, owner, _ = stored.split(".")
        return uuid.UUID(owner)
    except ValueError:
        return None


def _head(field: BoundTextField, stored: str) -> str:
    owner = _owner(stored)
    if owner is None:
        raise Damaged("not a bound value")
    token = f"s1.{owner.hex}.{stored.rpartition('.')[2]}"
    return field.heads(open_bytes(owner, token, field.context).decode())[0]


def _store(field: BoundTextField, wanted: list[tuple[str, Any, str]]) -> int:
    """Each row only from the form that was read, so that a change by somebody else is not undone."""
    quote = connections["default"].ops.quote_name
    meta = field.model._meta
    statement = (
        f"UPDATE {quote(meta.db_table)} SET {quote(str(field.column))} = %s"  # noqa: S608
        f" WHERE {quote(str(meta.pk.column))} = %s AND {quote(str(field.column))} = %s"
    )
    done = 0
    with transaction.atomic():
        for values in wanted:
            try:
                with transaction.atomic(), connections["default"].cursor() as cursor:
                    cursor.execute(statement, values)
                    done += 1
            except IntegrityError:  # two rows of one value, made while keys changed: an operator decides
                continue
    return done
