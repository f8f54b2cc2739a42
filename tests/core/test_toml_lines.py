"""Every value of a TOML file has a line, and it is the right one."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core.toml_lines import index

TEXT = '''# a comment
name = "x" # another

[plans.pro]
prices = [
  { currency = "USD", amount = "1" },   # line 6

  { currency = "EUR", amount = [
    "2"] },
]
"quoted key" = """two
lines ] } #"""
after.dotted = 1

[[routes]]
path = '/v1/{id}'
[[routes]]
path = "\\"tricky\\" # no comment"
[routes.extra]
deep = [[1, 2], [3]]
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 2),
        (("plans", "pro"), 4),
        (("plans", "pro", "prices", 0, "amount"), 6),
        (("plans", "pro", "prices", 1), 8),
        (("plans", "pro", "prices", 1, "amount", 0), 9),
        (("plans", "pro", "quoted key"), 11),
        (("plans", "pro", "after", "dotted"), 13),
        (("routes", 0, "path"), 16),
        (("routes", 1), 17),
        (("routes", 1, "path"), 18),
        (("routes", 1, "extra", "deep", 1, 0), 20),
    ],
)
def test_the_line_of_a_value(path: tuple[str | int, ...], line: int) -> None:
    lines = index(TEXT)
    assert path in lines
    assert lines.find(path) == line


def test_what_is_missing_is_shown_at_the_table_around_it() -> None:
    assert index(TEXT).find(("plans", "pro", "period")) == 4
    assert index(TEXT).find(("nothing",)) is None


KEYS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=6)
TEXTS = st.text(st.sampled_from("ab\"'\\#[]{},= \n"), max_size=8)
VALUES = st.recursive(
    st.integers(-9, 9) | st.booleans() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{json.dumps(k, ensure_ascii=False)} = {_inline(v)}" for k, v in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[ # open\n" + ",\n".join(map(_inline, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, item in inner for found in [(*path, key), *_paths(item, (*path, key))]]


@given(
    tables=st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3), max_size=3),
    arrays=st.lists(st.dictionaries(KEYS, VALUES, max_size=2), max_size=3),
)
def test_no_value_is_without_a_line(tables: dict[str, dict[str, Any]], arrays: list[dict[str, Any]]) -> None:
    text = ""
    for name, table in tables.items():
        text += f"[{json.dumps(name, ensure_ascii=False)}] # head\n"
        text += "".join(f"{json.dumps(k, ensure_ascii=False)} = {_inline(v)}\n" for k, v in table.items())
    for table in arrays:
        text += '[["all of them".here]]\n'
        text += "".join(f"{json.dumps(k, ensure_ascii=False)} = {_inline(v)}\n" for k, v in table.items())
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return  # the drawn names met each other
    lines = index(text)
    for path in _paths(data):
        assert path in lines
        line = lines.find(path)
        assert line is not None
        assert 1 <= line <= text.count("\n") + 1
