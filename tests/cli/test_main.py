"""The command line as a program: what it says, and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest


def run(*arguments: str, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    foreign = ("TOLLKEEPER_", "DATABASE_URL", "REDIS_URL", "DJANGO_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return subprocess.run(
        [sys.executable, "-m", "tollkeeper", *arguments],
        env={**clean, "TOLLKEEPER_HOME": str(home), **more},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


@pytest.fixture(scope="module")
def migrated_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("migrated") / "home"
    result = run("migrate", home=home)
    assert (result.returncode, result.stderr) == (0, "")
    return home


@pytest.fixture
def migrated(migrated_once: Path, tmp_path: Path) -> Path:
    """A migrated home of the test's own."""
    return Path(shutil.copytree(migrated_once, tmp_path / "home"))


def assert_one_sentence(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """It failed, and said why in one line that names these words; nobody sees a traceback."""
    assert result.returncode != 0
    assert result.stdout == ""
    assert result.stderr.startswith("tollkeeper: ")
    assert result.stderr.count("\n") == 1, result.stderr
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize("port", ["0", "65501", "http", "-1"])
def test_a_bad_port_is_refused(tmp_path: Path, port: str) -> None:
    assert_one_sentence(run("web", home=tmp_path, TOLLKEEPER_PORT=port), "TOLLKEEPER_PORT", port)


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for command in ("up", "migrate"):
        assert_one_sentence(run(command, home=tmp_path / "file"), "cannot be written", "--home")


def test_web_before_migrate_says_what_to_do(tmp_path: Path) -> None:
    assert_one_sentence(run("web", home=tmp_path), "tollkeeper migrate")


def test_an_unknown_shop_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    result = run("up", "nosuchshop", home=tmp_path / "home")
    assert result.returncode == 1
    assert "nosuchshop" in result.stderr
    assert "Traceback" not in result.stderr
    assert not list((tmp_path / "home").glob("*.sqlite3"))


def test_a_broken_shop_file_is_refused_with_its_line(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "shop.toml").write_text('name = "broken"\ncurrency = 7\n')
    result = run("migrate", home=tmp_path / "home", TOLLKEEPER_SHOP=str(shop))
    assert result.returncode == 1
    assert "shop.toml:2" in result.stderr
    assert "Traceback" not in result.stderr
    assert not list((tmp_path / "home").glob("*.sqlite3"))


def test_a_database_that_is_no_database_is_refused(tmp_path: Path) -> None:
    assert_one_sentence(run("migrate", home=tmp_path, DATABASE_URL="mysql://x/y"), "postgresql://")


def test_a_book_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    nowhere = "postgresql://nobody:hush@127.0.0.1:1/none"
    result = run("migrate", home=tmp_path, DATABASE_URL=nowhere)
    assert_one_sentence(result, "127.0.0.1:1/none", "DATABASE_URL")
    assert "hush" not in result.stderr


def test_an_unforeseen_error_is_one_sentence_and_a_story(tmp_path: Path) -> None:
    (tmp_path / "book.sqlite3").write_text("this is no database" * 100)
    result = run("migrate", home=tmp_path)
    assert_one_sentence(result, "this should not have happened", "error-")
    stories = list((tmp_path / "logs").glob("error-*.log"))
    assert len(stories) == 1
    assert "Traceback" in stories[0].read_text()


def test_migrate_makes_private_files_and_can_be_repeated(migrated: Path) -> None:
    files = [path for path in migrated.rglob("*") if path.is_file()]
    assert {"book.sqlite3", "keystore.sqlite3", "pepper"} <= {path.name for path in files}
    private = [path for path in files if migrated / "static" not in path.parents]  # those are for everybody
    assert not [path for path in (migrated, *private) if path.stat().st_mode & 0o077]
    secret = (migrated / "secrets" / "kek").read_bytes()
    again = run("migrate", home=migrated)
    assert (again.returncode, again.stderr) == (0, "")
    assert (migrated / "secrets" / "kek").read_bytes() == secret


def test_doctor_names_what_is_wrong(migrated: Path, tmp_path: Path) -> None:
    assert "FAIL  secrets" in run("doctor", home=tmp_path / "empty").stdout
    healthy = run("doctor", home=migrated)
    assert healthy.returncode == 0, healthy.stdout
    (migrated / "secrets" / "kek").chmod(0o644)
    ill = run("doctor", home=migrated)
    assert ill.returncode == 1
    assert "secrets/kek can be read by others" in ill.stdout


def test_a_sound_book_passes_and_a_fault_is_named(migrated: Path) -> None:
    sound = run("book", "check", "--json", home=migrated)
    assert json.loads(sound.stdout) == {"ok": True, "faults": []}
    assert sound.returncode == 0
    with sqlite3.connect(migrated / "book.sqlite3") as book:
        book.execute("INSERT INTO usage_txn (key, kind, ref, booked_at) VALUES ('x', 'grant', '', 1)")
        book.execute(
            "INSERT INTO usage_entry (txn_id, customer_id, account, unit, amount) "
            "VALUES (last_insert_rowid(), 1, 'used', 'calls', 5)"
        )
    book.close()
    ill = run("book", "check", "--json", home=migrated)
    assert ill.returncode == 1
    told = json.loads(ill.stdout)
    assert not told["ok"]
    assert {"code", "where", "expected", "found"} == set(told["faults"][0])
    assert "unbalanced" in run("book", "check", home=migrated).stdout


def test_an_operator_is_made_with_a_password_shown_once(migrated: Path) -> None:
    made = run("operator", "add", "ops@example.org", home=migrated)
    assert made.returncode == 0, made.stderr
    assert "Password" in made.stdout
    assert_one_sentence(run("operator", "add", "not-an-address", home=migrated))
    assert not [p for p in migrated.rglob("*") if p.is_file() and b"ops@example.org" in p.read_bytes()]


def test_tour_without_a_shop_is_refused(tmp_path: Path) -> None:
    assert_one_sentence(run("tour", home=tmp_path), "nothing runs", "up")


def test_tour_of_another_shop_is_refused(tmp_path: Path) -> None:
    addresses = {"storefront": "http://127.0.0.1:1/", "gate": "http://127.0.0.1:2/"}
    facts = {"ready": True, "shop": "twtapi", "addresses": addresses}
    (tmp_path / "run.json").write_text(json.dumps(facts))
    assert_one_sentence(run("tour", "--shop", "gettoken", home=tmp_path), "twtapi", "gettoken")
    assert_one_sentence(run("tour", home=tmp_path), "live")
