"""The first layer of the policy: what one wants to know, and a line for each section below it."""

from __future__ import annotations

from collections.abc import Callable

from tollkeeper.core.policy_schema import KeepRule, Policy
from tollkeeper.privacy.rendering import sharing
from tollkeeper.privacy.rendering.data import GROUPS
from tollkeeper.privacy.rendering.document import Actions, Block, Card, Cards, Head, Line, Link, Mark, line
from tollkeeper.privacy.rendering.phrases import Phrases


def short(policy: Policy, p: Phrases) -> list[Block]:
    """What we hold, why, how long, who gets it, and the rights with their buttons."""
    cards = (
        Card(p("short.what"), "#collection", _what(policy, p)),
        Card(p("short.why"), "#use", _why(policy, p)),
        Card(p("short.how_long"), "#retention", _how_long(policy, p)),
        Card(p("short.who"), "#sharing", _who(policy, p)),
    )
    buttons = (
        Link(p("short.centre"), policy.rights.where),
        Link(p("short.ask"), policy.rights.public_form),
        Link(p("short.write"), f"mailto:{policy.contact.email}"),
        Link(p("short.complain"), "#complaint"),
    )
    rights = Card(p("short.rights"), "#rights", (line(p("short.rights_line", rights=_rights(policy, p))),))
    return [Head(p("short.title"), "short"), Cards((*cards, rights)), Actions(buttons)]


def _what(policy: Policy, p: Phrases) -> tuple[Line, ...]:
    used = {one.group for one in policy.categories.values()}
    groups = p.comma.join(p(f"group.{name}") for name in GROUPS if name in used)
    count = p("short.what_count", n=len(policy.categories), groups=groups)
    return line(count), line(policy.collection.not_collected[p.language])


def _why(policy: Policy, p: Phrases) -> tuple[Line, ...]:
    bases: dict[str, list[str]] = {}
    for one in policy.purposes.values():
        bases.setdefault(one.basis, []).append(one.title[p.language])
    return tuple(
        line(Mark(p(f"short.{name}")), p("mark.colon"), p.comma.join(titles))
        for name, titles in bases.items()
    )


def _how_long(policy: Policy, p: Phrases) -> tuple[Line, ...]:
    """The rule of the account, the longest log, and whatever is kept longest."""
    rules = sorted(policy.keep.values(), key=lambda rule: rule.days)
    chosen: dict[int, KeepRule] = {}
    for found in (
        [rule for rule in rules if rule.trigger == "closure"][:1],
        [rule for rule in rules if rule.logs][-1:],
        rules[-1:],
    ):
        chosen |= {id(rule): rule for rule in found}
    return tuple(
        line(Mark(_capital(rule.ground[p.language])), p("mark.colon"), rule.text[p.language])
        for rule in chosen.values()
    )


def _who(policy: Policy, p: Phrases) -> tuple[Line, ...]:
    names = [one.name for one in policy.recipients.values() if one.role != "authority"]
    return line(p("short.who_line", names=p.semicolon.join(names))), line(p("short.who_sale"))


def _rights(policy: Policy, p: Phrases) -> str:
    return p.comma.join(p(f"right.{name}") for name in policy.rights.gdpr)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _retention(policy: Policy, p: Phrases) -> str:
    longest = max(policy.keep.values(), key=lambda rule: rule.days)
    return p("brief.retention", what=longest.ground[p.language], period=longest.text[p.language])


def _cookies(policy: Policy, p: Phrases) -> str:
    registry = policy.cookies.registry
    optional = sum(cookie.need == "optional" for cookie in registry.values())
    return p("brief.cookies_some" if optional else "brief.cookies", n=len(registry), optional=optional)


def _automated(policy: Policy, p: Phrases) -> str:
    titles = [one.title[p.language] for one in policy.automated.decisions.values()]
    return p("brief.automated_some", decisions=p.comma.join(titles)) if titles else p("brief.automated")


_LINES: dict[str, Callable[[Policy, Phrases], str]] = {
    "controller": lambda policy, p: p(
        "brief.controller", name=policy.controller.legal_name, country=p.country(policy.controller.country)
    ),
    "collection": lambda policy, p: p("brief.collection", n=len(policy.categories)),
    "use": lambda policy, p: p(
        "brief.use",
        n=len(policy.purposes),
        purposes=p.comma.join(one.title[p.language] for one in policy.purposes.values()),
    ),
    "sharing": lambda policy, p: p("brief.sharing", n=len(policy.recipients)),
    "transfers": lambda policy, p: p(
        "brief.transfers", countries=p.comma.join(map(p.country, sharing.countries(policy)))
    ),
    "cookies": _cookies,
    "rights": lambda policy, p: p("brief.rights", rights=_rights(policy, p)),
    "security": lambda policy, p: p(
        "brief.security",
        measures=p.comma.join(one.title[p.language] for one in policy.security.measures.values()),
    ),
    "retention": _retention,
    "children": lambda policy, p: p("brief.children", n=policy.children.contract_age),
    "automated": _automated,
    "changes": lambda policy, p: p(
        "brief.changes",
        n=policy.changes.notice_days,
        channels=p.comma.join(p(f"changes.{channel}") for channel in policy.changes.channels),
    ),
    "complaint": lambda policy, p: p("brief.complaint", name=policy.authority.name),
    "ccpa": lambda policy, p: p("brief.ccpa"),
    "contact": lambda policy, p: p("brief.contact", mail=policy.contact.email),
    "history": lambda policy, p: p("brief.history"),
}


def one_line(section: str, policy: Policy, p: Phrases) -> str:
    """What stands for a section while it is closed."""
    return _LINES[section](policy, p)
