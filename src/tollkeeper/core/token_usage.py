"""Usage as upstreams report it, in one form: four disjoint numbers of tokens.

OpenAI counts cached input inside its input; Anthropic beside it. Reasoning tokens
are part of the output with both. What relays write to an upstream's cache they tell
among the details of OpenAI's input.
"""

from __future__ import annotations

from collections.abc import Mapping

Tokens = tuple[int, int, int, int]
MOST = 1 << 40
"""No call has more tokens; a larger number is a mistake, and tells nothing."""


def _number(usage: Mapping[str, object], *names: str) -> int | None:
    for name in names:
        value = usage.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST:
            return value
    return None


def _detail(usage: Mapping[str, object], *names: str) -> int:
    """A part of the input, by the first of its names that is there."""
    for detail in ("prompt_tokens_details", "input_tokens_details"):
        inner = usage.get(detail)
        found = _number(inner, *names) if isinstance(inner, Mapping) else None
        if found:
            return found
    return 0


def openai_tokens(usage: object) -> Tokens | None:
    """From Chat Completions, Completions, Embeddings or Responses; None if it holds no numbers."""
    if not isinstance(usage, Mapping):
        return None
    given = _number(usage, "prompt_tokens", "input_tokens")
    if given is None:
        return None
    made = _number(usage, "completion_tokens", "output_tokens") or 0
    cached = min(_detail(usage, "cached_tokens"), given)
    written = min(_detail(usage, "cache_write_tokens", "cache_creation_tokens"), given - cached)
    return given - cached - written, made, cached, written


def anthropic_tokens(usage: object, before: Tokens | None) -> Tokens | None:
    """From Messages. Numbers of later events are totals and replace those of ``before``."""
    if not isinstance(usage, Mapping):
        return before
    old = before or (0, 0, 0, 0)
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    numbers = [_number(usage, name) for name in names]
    if before is None and numbers[0] is None and numbers[1] is None:
        return None
    merged = [then if new is None else new for new, then in zip(numbers, old, strict=True)]
    return merged[0], merged[1], merged[2], merged[3]
