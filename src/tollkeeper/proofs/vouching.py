"""Promises that only a person can vouch for, wholly or in part, and exactly which facts they vouch for.

    @vouched_for("T-19", "G-27")
    def hosting(policy: Policy) -> Facts: ...

The facts come from the policy alone, so that the same word covers them until the policy says
something else. A promise named here is ATTESTED while its probe holds *and* somebody's word
stands; BROKEN once the word ran out, was taken back or covers other facts.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from tollkeeper.core.policy_schema import Policy
from tollkeeper.core.refusal import Refused
from tollkeeper.privacy import attestations, policy_queries
from tollkeeper.privacy.attestations import Word

Facts = Mapping[str, Any]
Covered = Callable[[Policy], Facts]
_covered: dict[str, Covered] = {}
_DEMO = dt.timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person's word comes to today: ``why`` is empty while it holds."""

    promise: str
    facts: Facts
    word: Word | None
    why: str


def vouched_for(*promises: str) -> Callable[[Covered], Covered]:
    """Register what a person vouches for with these promises."""

    def register(function: Covered) -> Covered:
        _covered.update(dict.fromkeys(promises, function))
        return function

    return register


def needs_a_word(promise: str) -> bool:
    """Whether a person has to vouch for it."""
    return promise in _covered


def facts_of(promise: str, policy: Policy) -> Facts:
    """The facts that a word on this promise covers; raises ``KeyError`` where nobody need vouch."""
    return _covered[promise](policy)


def digest(facts: Facts) -> str:
    """SHA-256 of facts, in hex."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def standing(policy: Policy, today: dt.date) -> dict[str, Standing]:
    """Every promise of the policy that needs a word, with what stands for it."""
    wanted = [name for name in policy.promises if needs_a_word(name)]
    words = attestations.standing(wanted, live=settings.ENV.live)
    return {name: _standing(name, facts_of(name, policy), words.get(name), today) for name in wanted}


def _standing(name: str, facts: Facts, word: Word | None, today: dt.date) -> Standing:
    why = ""
    if word is None:
        why = "nobody vouches for it"
    elif not word.genuine:
        why = "the word that stands for it was changed"
    elif word.until < today:
        why = "what a person vouched for ran out"
    elif word.covers != digest(facts):
        why = "what a person vouched for is not what the policy says now"
    return Standing(name, facts, word, why)


def vouch(promise: str, *, by: uuid.UUID | None, role: str, until: dt.date, now: dt.datetime) -> int:
    """A person vouches for a promise of the policy in force; the number of their word.

    Raises :class:`Refused` with one sentence, or ``NoPolicy``.
    """
    policy = policy_queries.get_current().policy
    if promise not in policy.promises:
        raise Refused(f"this shop does not promise {promise}")
    if not needs_a_word(promise):
        raise Refused(f"{promise} is shown by a probe; nobody need vouch for it")
    covers = digest(facts_of(promise, policy))
    return attestations.give(promise, by=by, role=role, until=until, covers=covers, now=now)


def take_back(promise: str, *, by: uuid.UUID, role: str, now: dt.datetime) -> int:
    """A person takes a word back, theirs or a colleague's; raises :class:`Refused`."""
    return attestations.withdraw(promise, by=by, role=role, now=now)


def stand_in(now: dt.datetime) -> int:
    """The demo's word on whatever nobody vouches for yet; how many. Nothing where the shop is live."""
    current = policy_queries.find_current()
    if settings.ENV.live or current is None:
        return 0
    bare = [
        one.promise
        for one in standing(current.policy, now.date()).values()
        if one.why and (one.word is None or one.word.role == attestations.STAND_IN)
    ]
    for name in bare:
        vouch(name, by=None, role=attestations.STAND_IN, until=now.date() + _DEMO, now=now)
    return len(bare)
