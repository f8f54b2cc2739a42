"""What changed between two versions of the policy, and whether people must be told first.

A change is *material* if it adds a category, source, purpose, recipient, country or basis,
lengthens a period, or weakens a right or a protection. Everything else is wording: it is
listed, and it may start at once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tollkeeper.core.policy_rules import Path
from tollkeeper.core.policy_schema import Policy

REASONS = (
    "category",
    "source",
    "purpose",
    "recipient",
    "country",
    "basis",
    "period",
    "right",
    "cookie",
    "decision",
    "controller",
    "promise",
)
"""What makes a change material; each has a phrase in the languages of the page."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: ``before`` is None where something was added, ``after`` where it was removed.

    ``reason`` is one of :data:`REASONS`, or empty for wording.
    """

    path: Path
    before: Any
    after: Any
    reason: str = ""

    @property
    def kind(self) -> str:
        """``added``, ``removed`` or ``changed``."""
        if self.before is None:
            return "added"
        return "removed" if self.after is None else "changed"


def diff(old: Policy, new: Policy) -> tuple[Change, ...]:
    """Every difference of the two trees in the order of the new one, each with its reason."""
    before, after = old.model_dump(mode="json"), new.model_dump(mode="json")
    return tuple(
        Change(path, one, other, _reason(path, one, other, old, new))
        for path, one, other in _walk(before, after, ())
    )


def is_material(changes: tuple[Change, ...]) -> bool:
    """Whether any of the changes must be announced before it starts."""
    return any(change.reason for change in changes)


def word_diff(before: str, after: str) -> tuple[tuple[str, str], ...]:
    """``(op, text)`` pieces with op ``same``, ``gone`` or ``new``: words, or single Chinese characters."""
    one, other = _tokens(before), _tokens(after)
    pieces: list[tuple[str, str]] = []
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    for op, i1, i2, j1, j2 in matcher.get_opcodes():
        if op == "equal":
            pieces.append(("same", "".join(one[i1:i2])))
            continue
        if i2 > i1:
            pieces.append(("gone", "".join(one[i1:i2])))
        if j2 > j1:
            pieces.append(("new", "".join(other[j1:j2])))
    return tuple(pieces)


def _tokens(text: str) -> list[str]:
    return re.findall(r"[\u3000-\u9fff\uff00-\uffef]|[^\s\u3000-\u9fff\uff00-\uffef]+\s*|\s+", text)


def _walk(one: Any, other: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    if one == other:
        return
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*other, *(key for key in one if key not in other)]:
            yield from _walk(one.get(key), other.get(key), (*path, key))
        return
    yield path, one, other


def _gained(one: Any, other: Any) -> bool:
    return bool(set(other or ()) - set(one or ()))


def _lost(one: Any, other: Any) -> bool:
    return bool(set(one or ()) - set(other or ()))


def _more(one: Any, other: Any) -> bool:
    return one is not None and other is not None and other > one


def _less(one: Any, other: Any) -> bool:
    return one is not None and other is not None and other < one


def _added(one: Any, other: Any) -> bool:
    return one is None and other is not None


def _gone(one: Any, other: Any) -> bool:
    return one is not None and other is None


def _differs(one: Any, other: Any) -> bool:
    return bool(one != other)


_ANY = "*"
_RULES: tuple[tuple[Path, Callable[[Any, Any], bool], str], ...] = (
    (("controller", "legal_name"), _differs, "controller"),
    (("controller", "country"), _differs, "country"),
    (("categories", _ANY), _added, "category"),
    (("categories", _ANY, "purposes"), _gained, "purpose"),
    (("categories", _ANY, "sources"), _gained, "source"),
    (("categories", _ANY, "optional"), _less, "right"),
    (("sources", _ANY), _added, "source"),
    (("passing", _ANY), _added, "category"),
    (("passing", _ANY, "to"), _gained, "recipient"),
    (("passing", _ANY, "purposes"), _gained, "purpose"),
    (("purposes", _ANY), _added, "purpose"),
    (("purposes", _ANY, "basis"), _differs, "basis"),
    (("purposes", _ANY, "duties"), _gained, "basis"),
    (("purposes", _ANY, "aggregates_only"), _less, "purpose"),
    (("purposes", _ANY, "provision"), lambda one, other: one == "free" and other != "free", "right"),
    (("duties", _ANY), _added, "basis"),
    (("recipients", _ANY), _added, "recipient"),
    (("recipients", _ANY, "name"), _differs, "recipient"),
    (("recipients", _ANY, "role"), _differs, "recipient"),
    (("recipients", _ANY, "fields"), _gained, "recipient"),
    (("recipients", _ANY, "categories"), _gained, "recipient"),
    (("recipients", _ANY, "purposes"), _gained, "recipient"),
    (("recipients", _ANY, "country"), _differs, "country"),
    (("recipients", _ANY, "countries"), _gained, "country"),
    (("recipients", _ANY, "transfer", "tool"), _differs, "basis"),
    (("transfers", "places", _ANY), _added, "country"),
    (("transfers", "places", _ANY, "country"), _differs, "country"),
    (
        ("cookies", "registry", _ANY),
        lambda one, other: _added(one, other) and other["need"] != "essential",
        "cookie",
    ),
    (("cookies", "registry", _ANY, "need"), lambda one, other: other == "optional", "cookie"),
    (("cookies", "registry", _ANY, "days"), _more, "period"),
    (("keep", _ANY, "days"), _more, "period"),
    (("keep", _ANY, "trigger"), _differs, "period"),
    (("keep", _ANY, "then"), lambda one, other: other == "anonymise", "right"),
    (("retention", "inactive_months"), _more, "period"),
    (("rights", "gdpr"), _lost, "right"),
    (("rights", "ccpa"), _lost, "right"),
    (("clocks", _ANY), _more, "right"),
    (("security", "measures", _ANY), _gone, "right"),
    (("use", "k"), _less, "right"),
    (("children", "ages", _ANY), _less, "right"),
    (("children", "default_age"), _less, "right"),
    (("children", "contract_age"), _less, "right"),
    (("children", "decide_hours"), _more, "right"),
    (("children", "erase_hours"), _more, "right"),
    (("changes", "notice_days"), _less, "right"),
    (("changes", "channels"), _lost, "right"),
    (("breach", "authority_hours"), _more, "right"),
    (("automated", "decisions", _ANY), _added, "decision"),
    (("regimes", "ccpa", "applies"), _less, "right"),
    (("promises", _ANY), _gone, "promise"),
)
"""Path pattern, test of before and after, reason."""


def _matches(pattern: Path, path: Path) -> bool:
    return len(pattern) == len(path) and all(p in (_ANY, part) for p, part in zip(pattern, path, strict=True))


def _reason(path: Path, one: Any, other: Any, old: Policy, new: Policy) -> str:
    if len(path) == 3 and path[0] == "categories" and path[2] == "keep":
        return "period" if _longest(new, other) > _longest(old, one) else ""
    for pattern, test, reason in _RULES:
        if _matches(pattern, path) and test(one, other):
            return reason
    return ""


def _longest(policy: Policy, rules: list[str]) -> int:
    return max((policy.keep[name].days for name in rules), default=0)
