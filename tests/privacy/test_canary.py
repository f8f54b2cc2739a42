"""The scan finds what is planted, however it is packed."""

import base64
import json
import zlib
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.accounts.models import User
from tollkeeper.privacy.canary import CHUNK, Hit, Scanner

NEEDLE = "Canary.User+tag@Example.org"
_packed = zlib.compress(json.dumps({"x": NEEDLE}).encode())


@pytest.mark.parametrize(
    "value",
    [
        NEEDLE,
        NEEDLE.upper(),
        f"<{NEEDLE.lower()}>",
        quote(NEEDLE),
        json.dumps({"email": NEEDLE}),
        NEEDLE.encode().hex(),
        NEEDLE.encode(),
        memoryview(NEEDLE.lower().encode()),
        NEEDLE.encode("utf-16-le"),
        base64.urlsafe_b64encode(json.dumps({"e": NEEDLE}).encode()).decode(),
        "." + base64.urlsafe_b64encode(_packed).decode().rstrip("=") + ":stamp:signature",
    ],
)
def test_it_is_found_in_any_form(value: object) -> None:
    assert list(Scanner(["nothing here", NEEDLE]).scan_value(value, "here")) == [Hit("here", 1)]


@pytest.mark.parametrize("count", [1, 60])
def test_many_needles_are_found_like_one(count: int) -> None:
    others = [f"needle number {number:04d}" for number in range(count)]
    scanner = Scanner([*others, NEEDLE])
    assert bool(scanner.starts) == (count == 60)
    text = f"x{quote(others[-1])}y {NEEDLE.upper()}".encode()
    assert list(scanner.holds(text)) == [count - 1, count]
    assert list(scanner.holds(base64.b64encode(b"ab" + NEEDLE.encode()))) == [count]
    assert list(scanner.holds(b"needle number 9999, short")) == []


@given(before=st.binary(max_size=7), after=st.binary(max_size=7), loud=st.booleans())
def test_base64_at_any_offset(before: bytes, after: bytes, loud: bool) -> None:
    text = NEEDLE.upper() if loud else NEEDLE
    packed = base64.b64encode(before + text.encode() + after)
    assert list(Scanner([NEEDLE]).holds(packed)) == [0]


@pytest.mark.parametrize("value", [None, 7, True, "canary", "user@example.org", b"\0\xff"])
def test_other_values_are_no_hits(value: object) -> None:
    assert list(Scanner([NEEDLE]).scan_value(value, "here")) == []


def test_files_are_read_whole_even_across_pieces(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    file = tmp_path / "deep" / "log"
    file.write_bytes(b"." * (CHUNK - 9) + NEEDLE.encode() + b"." * 50)
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / "mail").write_text(NEEDLE)
    scanner = Scanner([NEEDLE])
    assert list(scanner.scan_folder(tmp_path, leave_out=[tmp_path / "left"])) == [Hit(str(file), 0)]
    assert len(list(scanner.scan_folder(tmp_path))) == 2
    assert list(scanner.scan_file(tmp_path / "gone")) == []


@pytest.mark.django_db(databases=["default", "keystore"], transaction=True)
def test_tables_are_scanned_raw() -> None:
    user = User.objects.create_user(nickname=NEEDLE)
    assert list(Scanner([NEEDLE]).scan_database("default")) == []
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET language = 'canary77' WHERE id = %s", [_as_stored(user)])
    assert list(Scanner(["canary77"]).scan_database("default")) == [Hit("default: accounts_user.language", 0)]


def _as_stored(user: User) -> object:
    return user.pk.hex if connection.vendor == "sqlite" else user.pk
