"""Keys and logs on the command line: one sentence for whatever does not go."""

import pytest
from typer.testing import CliRunner

from tollkeeper.accounts import services
from tollkeeper.cli.main import build
from tollkeeper.kit import rotation

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)
RUN = CliRunner()


def say(*words: str) -> tuple[int, str]:
    answer = RUN.invoke(build(words[0]), list(words))
    return answer.exit_code, answer.output + str(answer.exception or "")


def test_what_is_no_key_is_not_rotated_and_rest_is_told() -> None:
    code, text = say("keys", "rotate", "django")
    assert code
    assert "no key 'django'" in text
    assert "nothing going on" in say("keys", "status")[1]
    assert rotation.state("index").step == "rest"


def test_a_rotation_that_cannot_end_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    for verb in ("begin", "use"):
        monkeypatch.setattr(rotation, verb, lambda name: None)
    monkeypatch.setattr(rotation, "rewrite", lambda name: rotation.Rewritten(3, 0, 1))
    code, text = say("keys", "rotate", "index")
    assert code
    assert "1 rows of 'index' could not be rewritten" in text


def test_marks_are_rewritten_after_an_old_backup() -> None:
    services.create_person("ada@example.org", None)
    assert say("keys", "rewrite") == (0, "0 rows are under the present key.\n")
