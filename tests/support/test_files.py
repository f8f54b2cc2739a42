"""Files that people attach: what is taken, what is refused, and what is struck out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.support.files import MAX_BYTES, TYPES, BadFile, clean_file

PNG = b"\x89PNG\r\n\x1a\n rest"


def test_a_picture_is_taken_as_it_is() -> None:
    file = clean_file("shot.PNG", PNG)
    assert (file.name, file.media_type, file.content) == ("shot.PNG", "image/png", PNG)


def test_card_numbers_are_struck_out_of_texts_and_names() -> None:
    file = clean_file("4242424242424242.log", b"paid with 4242 4242 4242 4242\n")
    assert b"4242 4242" not in file.content
    assert "42424242" not in file.name


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("program.exe", b"MZ"),
        ("page.html", b"<script>"),
        ("drawing.svg", b"<svg onload=x>"),
        ("no_ending", b"x"),
        ("shot.png", b"<script>"),
        ("paper.pdf", PNG),
        ("empty.txt", b""),
        ("binary.txt", b"\xff\xfe\x00"),
        ("null.csv", b"a\x00b"),
        ("large.txt", b"x" * (MAX_BYTES + 1)),
    ],
)
def test_other_files_are_refused_with_one_sentence(name: str, content: bytes) -> None:
    with pytest.raises(BadFile) as caught:
        clean_file(name, content)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\x\\notes.txt", "notes.txt"),
        ('a"b\r\nSet-Cookie: x.txt', "a_b_Set-Cookie_ x.txt"),
        ("日志.txt", "日志.txt"),
        ("x" * 200 + ".txt", "x" * 76 + ".txt"),
    ],
)
def test_a_name_leads_nowhere_and_breaks_no_header(sent: str, kept: str) -> None:
    assert clean_file(sent, b"text").name == kept


@given(st.text(max_size=40), st.sampled_from(sorted(TYPES)))
def test_whatever_the_name_it_is_safe_or_refused(name: str, ending: str) -> None:
    try:
        file = clean_file(f"{name}.{ending}", PNG if ending == "png" else b"text")
    except BadFile:
        return
    assert not set(file.name) & set('/\\\r\n"\0')
    assert len(file.name) <= 80
