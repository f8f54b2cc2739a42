"""The search language: words that must all occur, "a phrase", #tag, from:name, lang:xx, -without."""

from __future__ import annotations

import re
from dataclasses import dataclass

from samples.posts.answers import Problem
from samples.posts.data import DataSet, Post

_PART = re.compile(r'(-?)(?:(from|lang):(\S+)|#(\w+)|"([^"]*)"|(\S+))')
MAX_QUERY = 200


@dataclass(frozen=True, slots=True)
class Term:
    """One condition; ``field`` is ``text``, ``tag``, ``from`` or ``lang``."""

    field: str
    value: str
    negative: bool


def parse(query: str) -> tuple[Term, ...]:
    """The conditions of a query; raises :class:`Problem` for an empty or overlong one."""
    if len(query) > MAX_QUERY:
        raise Problem(422, "bad_value", f"q may have {MAX_QUERY} characters at most", "q")
    terms = []
    for match in _PART.finditer(query):
        minus, operator, operand, tag, phrase, word = match.groups()
        value = operand or tag or phrase or word or ""
        if value:
            field = operator or ("tag" if tag else "text")
            terms.append(Term(field, value.casefold(), bool(minus)))
    if not any(not term.negative for term in terms):
        raise Problem(422, "bad_value", "q must name at least one thing to look for", "q")
    return tuple(terms)


def matches(post: Post, terms: tuple[Term, ...], data: DataSet) -> bool:
    """True if a post meets every condition."""
    return all(_one(post, term, data) is not term.negative for term in terms)


def _one(post: Post, term: Term, data: DataSet) -> bool:
    if term.field == "tag":
        return term.value in (tag.casefold() for tag in post.hashtags)
    if term.field == "from":
        return data.by_user_id[post.author_id].username == term.value.removeprefix("@")
    if term.field == "lang":
        return post.lang == term.value
    return term.value in post.text.casefold()
