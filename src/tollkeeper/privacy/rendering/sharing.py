"""Who receives data, in which countries, and which cookies are set."""

from __future__ import annotations

from tollkeeper.core.policy_nodes import EEA, Recipient
from tollkeeper.core.policy_schema import Cookie, Policy
from tollkeeper.privacy.rendering.data import titles
from tollkeeper.privacy.rendering.document import Block, Facts, Head, Line, Link, Mark, Para, Table, line
from tollkeeper.privacy.rendering.phrases import Phrases


def countries(policy: Policy) -> list[str]:
    """Every country in which data may lie, the controller's first."""
    found = {policy.controller.country: None}
    for place in policy.transfers.places.values():
        found[place.country] = None
    for recipient in policy.recipients.values():
        if recipient.role != "authority":
            found.update(dict.fromkeys((recipient.country, *recipient.countries)))
    return list(found)


def recipients(policy: Policy, p: Phrases) -> list[Block]:
    """What is never done, then every recipient."""
    heads = (p("head.recipient"), p("head.task"), p("head.data"), p("head.where"), p("head.contract"))
    rows = tuple(
        _recipient(policy, name, one, p) for name, one in policy.recipients.items() if one.role != "authority"
    )
    return [
        Para(line(policy.sharing.never[p.language]), "note"),
        Para(line(policy.sharing.text[p.language])),
        Para(line(policy.sharing.standing[p.language])),
        Table(p("section.sharing"), heads, rows),
        Head(p("share.authorities")),
        Para(line(policy.sharing.authorities[p.language])),
        *(
            Para(line(one.service[p.language] + p("mark.space") + one.when[p.language]))
            for one in policy.recipients.values()
            if one.role == "authority"
        ),
    ]


def _recipient(policy: Policy, name: str, one: Recipient, p: Phrases) -> tuple[Line, ...]:
    if len(one.categories) == len(policy.categories):
        data = p("share.all")
    else:
        data = titles(policy, "categories", one.categories, p)
    passed = [p("passing.row", title=it.title[p.language]) for it in policy.passing.values() if name in it.to]
    data = p.semicolon.join(filter(None, [data, *passed])) or p("mark.none")
    where = p.comma.join(map(p.country, (one.country, *one.countries)))
    contract = one.contract.reference
    if one.contract.until:
        contract += p.comma + p("share.until", date=p.date(one.contract.until))
    notice: tuple[str | Link, ...] = ()
    if one.notice:
        notice = (p.comma, Link(p("share.notice"), one.notice))
    return (
        line(Mark(one.name), f" ({p(f'kind.{one.kind}')}{p.comma}{p(f'role.{one.role}')})"),
        line(one.service[p.language] + p("mark.space") + p("share.when", when=one.when[p.language])),
        line(data),
        line(where),
        line(contract, *notice),
    )


def transfers(policy: Policy, p: Phrases) -> list[Block]:
    """Where our stores stand, and what carries data out of the EEA."""
    places = tuple(
        (
            line(Mark(place.title[p.language])),
            line(p.country(place.country)),
            line(policy.recipients[place.holder].name if place.holder else policy.controller.legal_name),
        )
        for place in policy.transfers.places.values()
    )
    abroad = [
        one
        for one in policy.recipients.values()
        if one.role != "authority" and {one.country, *one.countries} - EEA
    ]
    blocks: list[Block] = [
        Para(line(policy.transfers.text[p.language])),
        Table(p("tool.places"), (p("head.store"), p("head.country"), p("head.holder")), places),
    ]
    if abroad:
        heads = (p("head.recipient"), p("head.country"), p("head.tool"))
        blocks.append(Table(p("tool.abroad"), heads, tuple(_abroad(one, p) for one in abroad)))
    blocks.append(Para(line(policy.transfers.copies[p.language])))
    return blocks


def _abroad(one: Recipient, p: Phrases) -> tuple[Line, ...]:
    places = [code for code in (one.country, *one.countries) if code not in EEA]
    tool = p(f"tool.{one.transfer.tool}") + p("mark.colon") + one.transfer.reference
    if one.transfer.until:
        tool += p.semicolon + p("tool.until", date=p.date(one.transfer.until))
    assessment: tuple[str | Link, ...] = ()
    if one.transfer.assessment:
        assessment = (p.comma, Link(p("tool.assessment"), one.transfer.assessment))
    return (line(Mark(one.name)), line(p.comma.join(map(p.country, places))), line(tool, *assessment))


def cookie_table(policy: Policy, p: Phrases) -> Table:
    """The registry as a table."""
    heads = (p("head.name"), p("head.what_for"), p("head.life"), p("head.set_when"), p("head.without"))
    rows = tuple(_cookie(name, cookie, p) for name, cookie in policy.cookies.registry.items())
    return Table(p("cookie.table"), heads, rows)


def _cookie(name: str, cookie: Cookie, p: Phrases) -> tuple[Line, ...]:
    kind = p(f"cookie.{cookie.need}")
    if cookie.storage == "local":
        life = p("cookie.local")
    elif cookie.storage == "session":
        life = p("cookie.session_storage")
    else:
        life = p.days(cookie.days) if cookie.days else p("period.session")
    return (
        line(Mark(name, "code")),
        line(f"{cookie.purpose[p.language]} ({kind})"),
        line(life),
        line(cookie.when[p.language]),
        line(cookie.without[p.language]),
    )


def cookies(policy: Policy, p: Phrases) -> list[Block]:
    """The registry, how to control it, and the browser's signal."""
    return [
        Para(line(policy.cookies.text[p.language])),
        cookie_table(policy, p),
        Facts(
            (
                (p("cookie.control"), line(policy.cookies.control[p.language])),
                (p("cookie.signal"), line(policy.cookies.signal[p.language])),
            )
        ),
    ]
