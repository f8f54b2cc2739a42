"""Writing the zip of a copy: one pass over the rows, bounded memory, nothing clear on a disk.

    index.html  index.en.html  index.zh.html    for people
    art15.json                                  purposes, recipients, periods, rights, authority
    data/<table>.json  .schema.json  .csv       every row about the person
    provided/<table>.json  .schema.json         what the person gave (Art. 20)
    manifest.json  manifest.sig                 SHA-256 of every file, signed (Ed25519)
    SHA256SUMS  public-key.pem                  for `sha256sum -c` and `openssl pkeyutl -verify`

JSON has one row on each line. A zip has one open member at a time, so that the CSV and the
portable part wait, sealed, in scratch files until the JSON of their table is whole.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from django.db import models
from django.template.loader import render_to_string
from django.utils import timezone, translation

from tollkeeper.kit import signing
from tollkeeper.kit.sealed_stream import SealedFile, new_key, read_sealed
from tollkeeper.privacy import policy_queries
from tollkeeper.privacy.bundle.facts import facts_of
from tollkeeper.privacy.bundle.schema import schema_of
from tollkeeper.privacy.copying import WHOLE, Part, Span, copy_of
from tollkeeper.privacy.rendering.phrases import load

FORMAT = "tollkeeper-copy/1"
LANGUAGES = ("en", "zh")
SHOWN = 50
"""Rows of a table that the readable page shows; the files hold all."""
_BATCH = 1_000
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?\+00:00")
_FORMULA = frozenset("=+-@\t\r")
_to_json = json.JSONEncoder(ensure_ascii=False, default=str).encode

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Made:
    """What was written: rows of all tables, files of the zip, rows by table."""

    rows: int
    files: int
    tables: dict[str, int]


class _Member(io.RawIOBase):
    """A member of the zip that counts and hashes what it takes."""

    def __init__(self, member: IO[bytes]) -> None:
        super().__init__()
        self._member, self.hash, self.size = member, hashlib.sha256(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.hash.update(data)
        self.size += len(data)
        return self._member.write(data)


class _Archive:
    """The zip being written, and the list of its files."""

    def __init__(self, sink: Any) -> None:
        self._zip = zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, allowZip64=True, compresslevel=1)
        self._when = timezone.now().timetuple()[:6]
        self.files: list[dict[str, Any]] = []

    @contextmanager
    def member(self, path: str) -> Iterator[_Member]:
        info = zipfile.ZipInfo(path, self._when)
        info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
        with self._zip.open(info, "w", force_zip64=True) as member:
            made = _Member(member)
            yield made
        self.files.append({"path": path, "sha256": made.hash.hexdigest(), "bytes": made.size})

    def add(self, path: str, content: str | bytes) -> None:
        with self.member(path) as member:
            member.write(content.encode() if isinstance(content, str) else content)

    def close(self) -> None:
        self._zip.close()


def _cells(row: tuple[Any, ...], texts: list[int]) -> list[Any]:
    """A row as a spreadsheet may see it: texts that would run as a formula are quoted."""
    cells = list(row)
    for place in texts:
        value = cells[place]
        if isinstance(value, str):
            if value[:1] in _FORMULA:
                cells[place] = "'" + value
        elif value is not None:
            cells[place] = _to_json(value)
    return cells


def _texts(part: Part) -> list[int]:
    """Places of columns that may hold a text or a tree."""
    numbers = (models.IntegerField, models.AutoField, models.BooleanField, models.FloatField)
    fields = [part.found.model._meta.get_field(name) for name in part.columns]
    return [place for place, field in enumerate(fields) if not isinstance(field, numbers)]


class _Scratch:
    """Sealed scratch files below ``folder``, under a key that only this object knows."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._key, self._name = folder, new_key(), uuid.uuid4().hex

    @contextmanager
    def file(self, name: str) -> Iterator[SealedFile]:
        path = self._folder / f"{self._name}.{name}"
        try:
            with SealedFile(path, self._key) as made:
                yield made
        finally:
            path.unlink(missing_ok=True)

    def pour(self, file: SealedFile, name: str, target: _Member) -> None:
        file.close()
        for piece in read_sealed(self._folder / f"{self._name}.{name}", self._key):
            target.write(piece)


def _lines(rows: list[str], first: bool) -> bytes:
    return (("" if first else ",\n") + ",\n".join(rows)).encode()


def _table(archive: _Archive, part: Part, scratch: _Scratch, progress: Progress) -> tuple[int, list[Any]]:
    """Write the files of one table; its rows, and the first of them for the page."""
    given = [part.columns.index(name) for name in part.provided]
    texts = _texts(part)
    done = 0
    head: list[tuple[Any, ...]] = []
    with ExitStack() as stack:
        table = stack.enter_context(scratch.file("csv"))
        portable = stack.enter_context(scratch.file("provided")) if given else None
        with archive.member(f"data/{part.label}.json") as member:
            member.write(b"[\n")
            table.write((",".join(part.columns) + "\r\n").encode())
            rows_left = iter(part.values)
            while batch := list(islice(rows_left, _BATCH)):
                member.write(
                    _lines([_to_json(dict(zip(part.columns, row, strict=True))) for row in batch], not done)
                )
                text = io.StringIO()
                csv.writer(text).writerows([_cells(row, texts) for row in batch])
                table.write(text.getvalue().encode())
                if portable is not None:
                    rows = [_to_json({part.columns[place]: row[place] for place in given}) for row in batch]
                    portable.write(_lines(rows, not done))
                head += batch[: SHOWN - len(head)]
                done += len(batch)
                progress(len(batch))
            member.write(b"\n]\n")
        _schema(archive, part, "data", part.columns)
        with archive.member(f"data/{part.label}.csv") as member:
            scratch.pour(table, "csv", member)
        if portable is not None and done:
            with archive.member(f"provided/{part.label}.json") as member:
                member.write(b"[\n")
                scratch.pour(portable, "provided", member)
                member.write(b"\n]\n")
            _schema(archive, part, "provided", part.provided)
    return done, head


def _schema(archive: _Archive, part: Part, folder: str, columns: tuple[str, ...]) -> None:
    archive.add(f"{folder}/{part.label}.schema.json", json.dumps(schema_of(part, columns), indent=1) + "\n")


def _shown(value: Any) -> Any:
    """A value as the readable page shows it: moments to the second, in UTC."""
    if isinstance(value, str) and (found := _MOMENT.fullmatch(value)):
        return f"{found[1]} {found[2]}"
    return value


def _page(language: str, values: dict[str, Any]) -> str:
    words = load(language)
    tables = [
        {**one, "title": words.find(f"table.{one['label']}") or one["label"]} for one in values["tables"]
    ]
    with translation.override("zh-hans" if language == "zh" else "en"):
        return render_to_string(
            "copy/index.html", {**values, "tables": tables, "language": language, "shop": settings.SHOP_NAME}
        )


def write_copy(
    subject: uuid.UUID,
    sink: Any,
    *,
    scratch: Path,
    language: str = "en",
    span: Span = WHOLE,
    progress: Progress = lambda rows: None,
) -> Made:
    """Write the zip of a person's copy to ``sink``, which need not be seekable.

    ``scratch`` is a folder for sealed scratch files. ``progress`` is told how many rows were
    written since it was last told. Call it while ``serving(OWN)``.
    """
    made_at = timezone.now()
    archive, hidden = _Archive(sink), _Scratch(scratch)
    parts = list(copy_of(subject, span))
    tables, counts = [], {}
    for part in parts:
        if not part.found.exists():
            counts[part.label] = 0
            continue
        rows, head = _table(archive, part, hidden, progress)
        counts[part.label] = rows
        tables.append(
            {
                "label": part.label,
                "columns": part.columns,
                "rows": rows,
                "head": [tuple(map(_shown, row)) for row in head],
            }
        )
    with_rows = [part for part in parts if counts[part.label]]
    facts = facts_of(subject, with_rows, made_at)
    archive.add("art15.json", json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    values = {
        "facts": facts,
        "tables": tables,
        "empty": [label for label, rows in counts.items() if not rows],
        "withheld": {part.label: part.withheld for part in parts if part.withheld},
        "policy": policy_queries.get_current().policy,
        "made_at": made_at,
        "span": span,
        "shown": SHOWN,
    }
    for one in LANGUAGES:
        archive.add(f"index.{one}.html", _page(one, values))
    archive.add("index.html", _page("zh" if language.startswith("zh") else "en", values))
    _sign(archive, facts, counts, span)
    archive.close()
    return Made(sum(counts.values()), len(archive.files), counts)


def _sign(archive: _Archive, facts: dict[str, Any], counts: dict[str, int], span: Span) -> None:
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "made_at": facts["made_at"],
        "shop": facts["shop"],
        "subject": facts["subject"],
        "policy": facts["policy"],
        "since": span.since.isoformat() if span.since else None,
        "until": span.until.isoformat() if span.until else None,
        "rows": counts,
        "files": list(archive.files),
        "algorithm": "Ed25519",
        "public_key": signing.public_key("copy"),
    }
    raw = (json.dumps(manifest, indent=1) + "\n").encode()
    sums = "".join(f"{one['sha256']}  {one['path']}\n" for one in manifest["files"])
    archive.add("manifest.json", raw)
    archive.add("manifest.sig", bytes.fromhex(signing.sign("copy", raw)))
    archive.add("SHA256SUMS", sums)
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(manifest["public_key"]))
    archive.add("public-key.pem", key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
