"""How surely somebody must have shown who they are before a request is carried out.

Four levels, and never an identity document: data that was not needed to serve a person is not
needed to answer them (GDPR Art. 11, 12(6); EDPB Guidelines 01/2022, no. 73; 11 CCR §7060).

| level | shown by |
|---|---|
| 0 | nothing: the answer reveals nothing and harms nobody |
| 1 | control of the address: a link that was mailed there was opened |
| 2 | signed in, and password or factor given once more |
| 3 | signed in with a second factor; or a fact of the account that strangers do not know; or a call back |
"""

from __future__ import annotations

from dataclasses import dataclass

OPEN, ADDRESS, SIGNED_IN, EVIDENCE = range(4)
WAYS = {
    "": OPEN,
    "address": ADDRESS,
    "sign_in": SIGNED_IN,
    "factor": EVIDENCE,
    "order": EVIDENCE,
    "invoice": EVIDENCE,
    "key": EVIDENCE,
    "callback": EVIDENCE,
}
"""How something was shown → the level that it reaches."""
FACTS = ("order", "invoice", "key")
"""Facts of an account that may be asked for."""
TRIES = 3
"""Wrong facts after which only a person of ours goes on."""
_OPEN_KINDS = frozenset(
    {"opt_out", "limit", "object", "withdraw", "complaint", "other", "minor", "authority"}
)
_HARMLESS = frozenset({"restrict", "lift"})


@dataclass(frozen=True, slots=True)
class Risk:
    """What is known of the account behind an address when a request arrives.

    ``could_show_more``: its owner can sign in, or there is a fact to ask for. ``raised``: it
    has staff rights, or a second factor and the request came past it, or facts were guessed.
    """

    account: bool = False
    could_show_more: bool = True
    raised: bool = False


def needed(kind: str, risk: Risk) -> int:
    """The level that a request of this kind needs."""
    if kind in _OPEN_KINDS:
        return OPEN
    if kind in _HARMLESS or not risk.account:
        return ADDRESS
    if risk.raised:
        return EVIDENCE
    # where nothing more could be shown, asking for it would be a refusal in disguise
    return SIGNED_IN if risk.could_show_more else ADDRESS


def reached(now: int, way: str) -> int:
    """The level after something more was shown; it never falls. Raises ``KeyError`` for no such way."""
    return max(now, WAYS[way])
