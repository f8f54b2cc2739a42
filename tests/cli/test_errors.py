from pathlib import Path

import pytest

from tollkeeper.cli.errors import keep_story, one_sentence, redact


@pytest.mark.parametrize(
    "text",
    [
        "ada@example.org",
        "<ada.l+x@mail.example.org>",
        "to=ada@example.org;",
        "UNIQUE failed: 'ada@example.org'",
    ],
)
def test_redact_takes_addresses_out(text: str) -> None:
    assert "example.org" not in redact(text)
    assert "<address>" in redact(text)


def test_redact_leaves_the_rest() -> None:
    text = "GET /v1/posts?id=3 -> 200 in 4 ms; user@ alone; @name"
    assert redact(text) == text


def test_story_is_kept_without_addresses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOLLKEEPER_HOME", str(tmp_path))
    try:
        raise ValueError("no such person: ada@example.org")
    except ValueError as caught:
        error = caught
    path = keep_story(error)
    assert one_sentence(error) == "ValueError: no such person: <address>"
    assert path is not None
    story = path.read_text()
    assert "Traceback" in story
    assert "ada@example.org" not in story


def test_story_without_a_place_is_no_second_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TOLLKEEPER_HOME", str(tmp_path / "file"))
    assert keep_story(ValueError("x")) is None
