"""What a key may do: the best of all that was delivered, narrowed by what its customer asked for. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

import msgspec

from tollkeeper.core.terms import KeyTerms, LimitTerms

NONE = "-"
"""A name that no scope, route or model has: for lists that would be empty, and so mean everything."""


class Own(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a customer narrowed on one key; an empty list narrows nothing."""

    limits: tuple[LimitTerms, ...] = ()
    scopes: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    ip_ranges: tuple[str, ...] = ()


class BadWish(ValueError):
    """What a customer asked of a key cannot be; ``field`` says where, the text why."""

    def __init__(self, field: str, text: str) -> None:
        super().__init__(text)
        self.field = field


def best(terms: Sequence[KeyTerms]) -> KeyTerms:
    """The best of several terms in one unit, point by point; the last one names the plan.

    Raises ``ValueError`` for none, or for terms in different units.
    """
    if not terms:
        raise ValueError("there are no terms to choose from")
    if len({one.unit for one in terms}) > 1:
        raise ValueError("terms in different units cannot be joined")
    last = terms[-1]
    return KeyTerms(
        plan=last.plan,
        unit=last.unit,
        limits=_widest([one.limits for one in terms]),
        concurrency=0 if any(not one.concurrency for one in terms) else max(one.concurrency for one in terms),
        scopes=_union([one.scopes for one in terms]),
        routes=_union([one.routes for one in terms]),
        models=_union([one.models for one in terms]),
        ip_ranges=_union([one.ip_ranges for one in terms]),
    )


def _widest(groups: Sequence[tuple[LimitTerms, ...]]) -> tuple[LimitTerms, ...]:
    """Per window and unit the highest amount; a limit that one of the terms lacks falls away."""
    kept: dict[tuple[str, int], LimitTerms] = {}
    for limits in groups:
        for limit in limits:
            slot = (limit.unit, limit.window_s)
            known = kept.get(slot)
            if known is None or (limit.amount, limit.burst or limit.amount) > (
                known.amount,
                known.burst or known.amount,
            ):
                kept[slot] = limit
    everywhere = [{(limit.unit, limit.window_s) for limit in limits} for limits in groups]
    return tuple(limit for slot, limit in kept.items() if all(slot in slots for slots in everywhere))


def _union(lists: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    if any(not one for one in lists):
        return ()
    return tuple(dict.fromkeys(name for one in lists for name in one))


def narrow(terms: KeyTerms, own: Own) -> KeyTerms:
    """Terms cut with a customer's own wishes: never more than either allows."""
    return msgspec.structs.replace(
        terms,
        limits=terms.limits + tuple(msgspec.structs.replace(o, name=f"own-{o.name}") for o in own.limits),
        scopes=_cut(terms.scopes, own.scopes),
        routes=_cut(terms.routes, own.routes),
        models=_cut(terms.models, own.models),
        ip_ranges=own.ip_ranges or terms.ip_ranges,
    )


def _cut(allowed: tuple[str, ...], wished: tuple[str, ...]) -> tuple[str, ...]:
    if not wished:
        return allowed
    if not allowed:
        return wished
    return tuple(name for name in wished if name in allowed) or (NONE,)


def check_own(own: Own, terms: KeyTerms) -> Own:
    """Wishes made tidy; raises :class:`BadWish` for what the plan does not have or nobody can mean."""
    for name, allowed, wished in (
        ("scopes", terms.scopes, own.scopes),
        ("routes", terms.routes, own.routes),
        ("models", terms.models, own.models),
    ):
        foreign = [one for one in wished if allowed and one not in allowed]
        if foreign:
            raise BadWish(name, f"the plan does not include {foreign[0]!r}")
    for limit in own.limits:
        if limit.unit not in ("requests", "units", "tokens"):
            raise BadWish("limits", f"a limit counts requests, units or tokens, not {limit.unit!r}")
        if limit.amount < 1 or not 1 <= limit.window_s <= 31 * 86_400 or limit.burst < 0:
            raise BadWish(
                "limits", "a limit needs an amount of at least 1 and a window from 1 second to 31 days"
            )
    if len(own.limits) > 8:
        raise BadWish("limits", "a key can have at most 8 limits of its own")
    names = [limit.name for limit in own.limits]
    if len(set(names)) < len(names):
        raise BadWish("limits", "two limits have the same name")
    return msgspec.structs.replace(own, ip_ranges=tidy_ranges(own.ip_ranges))


def tidy_ranges(ranges: Iterable[str]) -> tuple[str, ...]:
    """CIDR ranges in their canonical form; raises :class:`BadWish` for what is none."""
    found: list[str] = []
    for text in ranges:
        try:
            found.append(str(ipaddress.ip_network(text.strip(), strict=False)))
        except ValueError:
            raise BadWish("ip_ranges", f"{text.strip()!r} is no address or range") from None
    if len(found) > 100:
        raise BadWish("ip_ranges", "a key can have at most 100 address ranges")
    return tuple(dict.fromkeys(found))
