"""The policy as one value: read from TOML with every mistake named, hashed by its content.

``read_policy(text)`` is the door for files, ``decode_policy`` the one for stored versions.
The same tree has the same hash whatever the order, spacing and comments of its file.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import ValidationError

from tollkeeper.core import toml_lines
from tollkeeper.core.policy_rules import Finding, Path, check_tree
from tollkeeper.core.policy_schema import Policy
from tollkeeper.core.policy_wording import check_wording
from tollkeeper.core.refusal import Refused


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing to mend: the line in the file (from 1), the dotted path, a sentence."""

    line: int
    path: str
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.path} {self.text}" if self.path else f"line {self.line}: {self.text}"


class BadPolicy(Refused):
    """A policy that cannot be used; ``mistakes`` holds all of them in the order of the file."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(set(mistakes), key=lambda m: (m.line, m.path, m.text)))
        super().__init__("\n".join(map(str, self.mistakes)))


def read_policy(text: str) -> Policy:
    """The policy that ``text`` (TOML) states; raises :class:`BadPolicy` with all mistakes."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadPolicy([Mistake(_line_in(str(error)), "", f"is not TOML: {error}")]) from None
    lines = toml_lines.index(text)
    try:
        policy = Policy.model_validate(raw)
    except ValidationError as error:
        raise BadPolicy(
            _mistake(lines, tuple(item["loc"]), _plain(item["type"], item["msg"])) for item in error.errors()
        ) from None
    findings = [*check_tree(policy), *check_wording(policy)]
    if findings:
        raise BadPolicy(_mistake(lines, f.path, f.text) for f in findings)
    return policy


def decode_policy(body: str) -> Policy:
    """The policy of a stored body; raises pydantic's ``ValidationError`` for anything else."""
    return Policy.model_validate_json(body)


def encode_policy(policy: Policy) -> str:
    """The tree as JSON, in the order of the file, which is the order of the page."""
    return json.dumps(policy.model_dump(mode="json"), separators=(",", ":"), ensure_ascii=False)


def content_hash(policy: Policy) -> str:
    """SHA-256 of the tree with its keys sorted, in hex: the same for every order of the file."""
    text = json.dumps(policy.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def dotted(path: Path) -> str:
    """``("categories", "account.email", "title")`` as ``categories."account.email".title``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            word = part if part.replace("_", "").replace("-", "").isalnum() else f'"{part}"'
            text += f".{word}" if text else word
    return text


def locate(text: str, findings: Iterable[Finding]) -> list[Mistake]:
    """Findings with the lines of the file they come from."""
    lines = toml_lines.index(text)
    return [_mistake(lines, finding.path, finding.text) for finding in findings]


def _mistake(lines: toml_lines.LineIndex, path: tuple[str | int, ...], text: str) -> Mistake:
    path = tuple(part for part in path if part != "[key]")
    return Mistake(lines.find(path) or 1, dotted(path), text)


def _plain(kind: str, message: str) -> str:
    """pydantic's message as the rest of our sentence."""
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "is not a setting of the policy"
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _line_in(message: str) -> int:
    head, _, tail = message.partition("(at line ")
    digits = tail.split(",", 1)[0]
    return int(digits) if head and digits.isdigit() else 1
