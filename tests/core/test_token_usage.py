"""Every upstream's usage comes out as four disjoint numbers."""

from __future__ import annotations

import pytest

from tollkeeper.core.token_usage import anthropic_tokens, openai_tokens


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}, (10, 5, 0, 0)),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 8}},
            (2, 5, 8, 0),
        ),
        ({"prompt_tokens": 10, "completion_tokens": 0, "prompt_tokens_details": None}, (10, 0, 0, 0)),
        ({"prompt_tokens": 7, "total_tokens": 7}, (7, 0, 0, 0)),
        ({"input_tokens": 9, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 3}}, (6, 4, 3, 0)),
        ({"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 99}}, (0, 0, 3, 0)),
        (
            {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 4}},
            (2, 0, 3, 4),
        ),
        ({"input_tokens": 9, "input_tokens_details": {"cache_write_tokens": 4}}, (5, 0, 0, 4)),
        ({"prompt_tokens": 9, "prompt_tokens_details": {"cache_creation_tokens": 4}}, (5, 0, 0, 4)),
        (
            {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 4}},
            (0, 0, 8, 1),
        ),
        ({"prompt_tokens": 1 << 60}, None),
        ({"prompt_tokens": -3}, None),
        ({"prompt_tokens": True}, None),
        ({}, None),
        (None, None),
        ([1], None),
    ],
)
def test_openai(usage: object, tokens: object) -> None:
    assert openai_tokens(usage) == tokens


def test_anthropic_numbers_are_totals_that_replace() -> None:
    start = anthropic_tokens(
        {
            "input_tokens": 10,
            "cache_creation_input_tokens": 4,
            "cache_read_input_tokens": 6,
            "output_tokens": 1,
        },
        None,
    )
    assert start == (10, 1, 6, 4)
    assert anthropic_tokens({"output_tokens": 42}, start) == (10, 42, 6, 4)
    assert anthropic_tokens({"output_tokens": 50, "input_tokens": 11}, start) == (11, 50, 6, 4)
    assert anthropic_tokens(None, start) == start
    assert anthropic_tokens({}, None) is None
