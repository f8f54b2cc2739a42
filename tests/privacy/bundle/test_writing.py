"""The zip of a copy: complete, readable in both languages, signed, of one person only."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
import shutil
import subprocess
import uuid
import zipfile
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from tollkeeper.accounts import services as accounts
from tollkeeper.catalog.services import load_shop
from tollkeeper.flows.policy_change import load_policy
from tollkeeper.kit.purposes import OWN, serving
from tollkeeper.kit.trail.models import Disclosure
from tollkeeper.privacy.bundle import writing
from tollkeeper.privacy.bundle.reading import BadCopy, check_copy
from tollkeeper.privacy.bundle.schema import schema_of
from tollkeeper.privacy.copying import Span, parts_of
from tollkeeper.privacy.discovery import inventory
from tollkeeper.privacy.rendering.phrases import load
from tollkeeper.support import services as support

pytestmark = pytest.mark.django_db(databases=["default", "keystore"])


@pytest.fixture(autouse=True)
def shop(db: None) -> None:
    load_shop(settings.SHOP)
    load_policy(settings.SHOP / "policy.toml")


def person(address: str = "ada@example.org") -> uuid.UUID:
    user = accounts.create_person(address, None)
    customer = accounts.ensure_customer(user)
    support.open_ticket("=cmd()", f"words of {user.pk.hex}", customer_id=customer, owner=user.pk)
    Disclosure.objects.create(
        at=timezone.now(), processor="stripe", purpose="order", subject=user.pk, fields="amount,currency",
        categories="payment", size=10, outcome="sent",
    )  # fmt: skip
    return user.pk


def copy(subject: uuid.UUID, folder: Path, **facts: object) -> Path:
    path = folder / f"{subject.hex}.zip"
    with serving(OWN), path.open("wb") as sink:
        writing.write_copy(subject, sink, scratch=folder / "scratch", **facts)  # type: ignore[arg-type]
    return path


def read(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def fits(schema: dict[str, object], rows: list[dict[str, object]]) -> bool:
    """Whether rows fit a schema of ours: types, required names, nothing else, and the patterns."""
    items: dict[str, dict[str, object]] = schema["items"]  # type: ignore[assignment]
    kinds = {"string": str, "integer": int, "boolean": bool, "number": (int, float), "null": type(None)}
    for row in rows:
        if set(row) != set(items["required"]) or set(row) != set(items["properties"]):
            return False
        for name, value in row.items():
            told = items["properties"][name]
            wanted = told.get("type", [])  # type: ignore[attr-defined]
            names = wanted if isinstance(wanted, list) else [wanted]
            if names and not any(isinstance(value, kinds[one]) for one in names):
                return False
            if isinstance(value, str) and not re.search(told.get("pattern", ""), value):  # type: ignore[attr-defined]
                return False
    return True


def test_every_table_of_the_inventory_is_in_it_with_a_schema_that_fits(tmp_path: Path) -> None:
    subject = person()
    files = read(copy(subject, tmp_path))
    manifest = json.loads(files["manifest.json"])
    wanted = {
        label for label, one in inventory().models.items()
        if one.personal and one.kind not in ("nobody", "detached")
    }  # fmt: skip
    assert set(manifest["rows"]) == wanted
    for label, rows in manifest["rows"].items():
        if not rows:
            continue
        found = json.loads(files[f"data/{label}.json"])
        schema = json.loads(files[f"data/{label}.schema.json"])
        assert len(found) == rows
        assert fits(schema, found), label
        lines = list(csv.reader(io.StringIO(files[f"data/{label}.csv"].decode())))
        assert lines[0] == list(found[0])
        assert len(lines) == rows + 1
    assert json.loads(files["provided/account.EmailAddress.json"]) == [{"email": "ada@example.org"}]
    assert not list((tmp_path / "scratch").glob("*"))


def test_nothing_of_others_and_no_secret(tmp_path: Path) -> None:
    other = person("bob@example.org")
    subject = person()
    text = b"".join(read(copy(subject, tmp_path)).values()).decode(errors="replace")
    assert f"words of {subject.hex}" in text
    for foreign in ("bob@example.org", other.hex, str(other), "argon2"):
        assert foreign not in text


def test_who_of_us_answered_is_only_called_staff(tmp_path: Path) -> None:
    subject = person()
    agent = accounts.add_operator("agent@example.org", "a-long-enough-phrase-7")
    number = support.open_ticket(
        "t",
        "w",
        customer_id=accounts.ensure_customer(accounts.queries.find_user("ada@example.org")),
        owner=subject,
    )  # type: ignore[arg-type]
    support.add_message(number, "we answer", from_us=True, author=agent)
    files = read(copy(subject, tmp_path))
    assert str(agent) not in b"".join(files.values()).decode(errors="replace")
    authors = [row["author"] for row in json.loads(files["data/support.Message.json"])]
    assert "staff" in authors


def test_the_page_is_readable_in_both_languages_and_alone(tmp_path: Path) -> None:
    files = read(copy(person(), tmp_path, language="zh-hans"))
    assert files["index.html"] == files["index.zh.html"]
    assert "我们存储的关于您的一切" in files["index.html"].decode()
    english = files["index.en.html"].decode()
    assert "Everything we store about you" in english
    assert "ada@example.org" in english
    assert "stripe" in english.lower()
    for page in (english, files["index.zh.html"].decode()):
        assert not re.search(r"(src|href)=\"(https?:|//)", page)
        assert "<script" not in page


def test_the_facts_of_article_15_name_who_received_what(tmp_path: Path) -> None:
    files = read(copy(person(), tmp_path))
    facts = json.loads(files["art15.json"])
    assert [(one["id"], one["fields"], one["messages"]) for one in facts["recipients"]] == [
        ("stripe", ["amount", "currency"], 1)
    ]
    assert facts["authority"]["name"]
    assert facts["purposes"]["order"]["basis"] == "contract"
    assert facts["categories"]["support"]["kept"][0]["days"] > 0
    assert {"en", "zh"} <= set(facts["categories"]["support"]["title"])


def test_tables_are_called_by_a_title_in_both_languages() -> None:
    labels = {part.label for part in parts_of(uuid.uuid4())}
    titled = [{label for label in labels if load(one).find(f"table.{label}")} for one in ("en", "zh")]
    assert titled[0] == titled[1]
    assert len(titled[0]) > 0.9 * len(labels), "a new table goes by its label until it has a title"


def test_formulas_do_not_run_in_a_spreadsheet(tmp_path: Path) -> None:
    files = read(copy(person(), tmp_path))
    assert b",'=cmd()" in files["data/support.Ticket.csv"]
    assert json.loads(files["data/support.Ticket.json"])[0]["title"] == "=cmd()"


def test_a_span_narrows_rows_that_have_a_time(tmp_path: Path) -> None:
    subject = person()
    tomorrow = timezone.now().date() + dt.timedelta(days=1)
    files = read(copy(subject, tmp_path, span=Span(since=tomorrow)))
    rows = json.loads(files["manifest.json"])["rows"]
    assert rows["trail.Disclosure"] == 0
    assert rows["account.EmailAddress"] == 1


@pytest.mark.parametrize("what", ["a file", "the manifest", "one more file", "another key", "cut"])
def test_what_was_changed_is_noticed(tmp_path: Path, what: str) -> None:
    path = copy(person(), tmp_path)
    assert check_copy(path).rows["account.EmailAddress"] == 1
    files, key = read(path), ""
    if what == "a file":
        files["data/account.EmailAddress.json"] = files["data/account.EmailAddress.json"].replace(
            b"ada", b"eve"
        )
    elif what == "the manifest":
        files["manifest.json"] = files["manifest.json"].replace(b'"rows"', b'"Rows"')
    elif what == "one more file":
        files["data/evil.json"] = b"[]"
    elif what == "another key":
        key = "00" * 32
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    if what == "cut":
        path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(BadCopy):
        check_copy(path, key)


@pytest.mark.skipif(
    not (shutil.which("openssl") and shutil.which("sha256sum")), reason="needs openssl, sha256sum"
)
def test_the_commands_on_the_page_check_it(tmp_path: Path) -> None:
    path = copy(person(), tmp_path)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "out")
    commands = [
        "sha256sum -c SHA256SUMS",
        "openssl pkeyutl -verify -pubin -inkey public-key.pem -rawin -in manifest.json -sigfile manifest.sig",
    ]
    page = (tmp_path / "out" / "index.html").read_text()
    for command in commands:
        assert command in page
        done = subprocess.run(
            command.split(), cwd=tmp_path / "out", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_schemas_are_made_from_columns() -> None:
    part = next(part for part in parts_of(uuid.uuid4()) if part.label == "usage.Call")
    told = schema_of(part, part.columns)["items"]["properties"]
    assert told["called_at"]["format"] == "date-time"
    assert told["units"]["type"] == "integer"
    assert told["route"]["x-category"] == "usage.calls"
