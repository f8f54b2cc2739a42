"""Text that looks written, follows from its prompt alone, and whose tokens can be counted by hand.

A token here is a word with the blank before it, a punctuation mark, or one CJK
character. Real models cut otherwise; what matters to a gate is that the count
reported equals the count sent.
"""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass

_TOKEN = re.compile(r"\s*(?:[^\W_\u4e00-\u9fff]+|[\u4e00-\u9fff]|[^\w\s]|_)")
_SAY = re.compile(r"^(?:say|repeat)(?: exactly)?:\s*(.*)$", re.IGNORECASE | re.DOTALL)
_OPENERS = ("In short,", "Briefly:", "Yes.", "It depends.", "Good question.", "Here is how I would see it:")
_SUBJECTS = (
    "The scheduler",
    "A queue",
    "The ledger",
    "Your index",
    "A cache",
    "The gateway",
    "Every log",
    "A lease",
)
_VERBS = ("keeps", "orders", "protects", "measures", "explains", "splits", "collects", "outlives")
_OBJECTS = (
    "what came before", "each request once", "the slow part", "a fair share", "its own history",
    "the rest of the day", "what you asked for", "every promise made",
)  # fmt: skip
_ENDINGS = (
    "",
    ", even under load",
    ", as long as clocks agree",
    ", which is why tests matter",
    ", and then stops",
)


@dataclass(frozen=True, slots=True)
class Written:
    """An answer as tokens; ``finish`` is ``stop`` or ``length``."""

    tokens: tuple[str, ...]
    finish: str

    @property
    def text(self) -> str:
        return "".join(self.tokens)


def tokenize(text: str) -> tuple[str, ...]:
    """The tokens of a text; joined they are the text again, but for blanks at its end."""
    return tuple(_TOKEN.findall(text))


def count(text: str) -> int:
    """How many tokens a text has."""
    return len(tokenize(text))


def write(model: str, prompt: str, most: int | None = None) -> Written:
    """The answer of ``model`` to ``prompt``, with ``most`` tokens at most.

    A prompt that begins with ``Say:`` is answered with the words after it.
    """
    asked = _SAY.match(prompt.strip())
    text = asked[1] if asked else _compose(f"{model}\n{prompt}")
    tokens = tokenize(text)
    if most is not None and len(tokens) > most:
        return Written(tokens[:most], "length")
    return Written(tokens, "stop")


def _compose(seed: str) -> str:
    chance = random.Random(hashlib.sha256(seed.encode()).digest())
    sentences = [chance.choice(_OPENERS)]
    for _ in range(chance.randint(2, 7)):
        words = f"{chance.choice(_SUBJECTS)} {chance.choice(_VERBS)} {chance.choice(_OBJECTS)}"
        sentences.append(f"{words}{chance.choice(_ENDINGS)}.")
    return " ".join(sentences)


def vector(text: str, size: int) -> list[float]:
    """A unit vector that follows from the text."""
    chance = random.Random(hashlib.sha256(text.encode()).digest())
    values = [chance.gauss(0, 1) for _ in range(size)]
    length = sum(value * value for value in values) ** 0.5
    return [value / length for value in values]
