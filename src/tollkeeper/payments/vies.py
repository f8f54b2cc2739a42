"""The VAT register of the European Union (VIES), asked over its REST interface.

Only the number itself is sent: no name, no address. Source of the form:
https://ec.europa.eu/taxation_customs/vies/ (swagger of ``check-vat-number``).
"""

from __future__ import annotations

from typing import Any, Protocol


class NoAnswer(Exception):
    """The register, or the member state behind it, cannot say now; ``code`` is its own word."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Session(Protocol):
    """What is needed of the egress door's client."""

    def post(self, url: str, *, json: Any) -> Any:
        """Send a JSON body; raises ``OSError`` where nobody answers."""


def ask(session: Session, base: str, number: str) -> bool:
    """Whether a number such as ``ATU12345678`` is valid today. Raises :class:`NoAnswer`.

    Greece calls itself EL there, whatever the invoice says.
    """
    country, digits = number[:2], number[2:]
    body = {"countryCode": "EL" if country == "GR" else country, "vatNumber": digits}
    try:
        answer = session.post(f"{base}/check-vat-number", json=body)
    except OSError as error:
        raise NoAnswer(type(error).__name__) from error
    if answer.status_code != 200:
        raise NoAnswer(f"http_{answer.status_code}")
    try:
        told = answer.json()
    except ValueError as error:
        raise NoAnswer("no_json") from error
    valid = told.get("valid") if isinstance(told, dict) else None
    if not isinstance(valid, bool):
        raise NoAnswer(_word(told))
    return valid


def _word(told: Any) -> str:
    """The register's word for what is the matter, such as ``MS_UNAVAILABLE``; letters only."""
    errors = told.get("errorWrappers") if isinstance(told, dict) else None
    word = errors[0].get("error", "") if isinstance(errors, list) and errors else ""
    return str(word)[:40] if str(word).replace("_", "").isalnum() else "no_answer"
