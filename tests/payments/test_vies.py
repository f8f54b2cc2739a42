"""Asking the Union's register: only a clear word counts."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tollkeeper.payments import vies


class Answer:
    def __init__(self, status: int, body: Any) -> None:
        self.status_code, self._body = status, body

    def json(self) -> Any:
        if self._body is None:
            raise ValueError
        return self._body


class Line:
    """A register that says one thing and remembers what it was asked."""

    def __init__(self, answer: Answer | OSError) -> None:
        self.answer, self.asked = answer, []

    def post(self, url: str, *, json: Any) -> Answer:
        self.asked.append((url, json))
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer


@pytest.mark.parametrize("valid", [True, False])
def test_a_clear_word(valid: bool) -> None:
    line = Line(Answer(200, {"valid": valid, "name": "Somebody"}))
    assert vies.ask(line, "https://vies.example", "ATU12345678") is valid
    assert line.asked == [
        ("https://vies.example/check-vat-number", {"countryCode": "AT", "vatNumber": "U12345678"})
    ]


def test_greece_has_a_name_of_its_own() -> None:
    line = Line(Answer(200, {"valid": True}))
    vies.ask(line, "", "GR123456789")
    assert line.asked[0][1]["countryCode"] == "EL"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(500, {}), "http_500"),
        (Answer(200, None), "no_json"),
        (Answer(200, []), "no_answer"),
        (Answer(200, {"valid": "yes"}), "no_answer"),
        (Answer(200, {"errorWrappers": [{"error": "MS_UNAVAILABLE"}]}), "MS_UNAVAILABLE"),
        (Answer(200, {"errorWrappers": [{"error": "<b>Ada</b>"}]}), "no_answer"),
        (requests.ConnectionError(), "ConnectionError"),
    ],
)
def test_everything_else_is_no_answer(answer: Any, code: str) -> None:
    with pytest.raises(vies.NoAnswer) as no:
        vies.ask(Line(answer), "", "ATU12345678")
    assert no.value.code == code
