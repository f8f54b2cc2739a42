"""The policy as the page that people read, in the order of ``SECTIONS``."""

from __future__ import annotations

from collections.abc import Callable

from tollkeeper.core.policy_nodes import Person, Words
from tollkeeper.core.policy_rules import SECTIONS
from tollkeeper.core.policy_schema import Planned, Policy
from tollkeeper.privacy.rendering import california, data, sharing
from tollkeeper.privacy.rendering.brief import one_line, short
from tollkeeper.privacy.rendering.document import (
    Block,
    Document,
    Facts,
    Head,
    Items,
    Line,
    Link,
    Mark,
    Para,
    Section,
    Table,
    line,
)
from tollkeeper.privacy.rendering.phrases import Phrases, load

Part = Callable[[Policy, Phrases], list[Block]]


def render_page(policy: Policy, language: str) -> Document:
    """The whole policy in ``en`` or ``zh``. The date and number of the version stand above it."""
    phrases = load(language)
    sections = [Section("top", "", tuple(_top(policy, phrases)))]
    for name in SECTIONS[1:]:
        if name == "ccpa" and not policy.regimes.ccpa.applies:
            continue
        blocks = tuple(PARTS[name](policy, phrases))
        sections.append(Section(name, phrases(f"section.{name}"), blocks, one_line(name, policy, phrases)))
    return Document(language, policy.policy.title[language], tuple(sections))


def para(words: Words, phrases: Phrases, kind: str = "") -> Para:
    """A text of the policy as a paragraph."""
    return Para(line(words[phrases.language]), kind)


def _top(policy: Policy, p: Phrases) -> list[Block]:
    registry = policy.cookies.registry
    optional = sum(cookie.need == "optional" for cookie in registry.values())
    decisions = [decision.title[p.language] for decision in policy.automated.decisions.values()]
    rows: list[tuple[str, Line]] = [
        (p("glance.kinds"), line(Link(str(len(policy.categories)), "#collection"))),
        (p("glance.recipients"), line(Link(str(len(policy.recipients)), "#sharing"))),
        (
            p("glance.cookies"),
            line(Link(p("glance.cookies_value", n=len(registry), optional=optional), "#cookies")),
        ),
        (p("glance.sale"), line(p("glance.sale_value"))),
        (p("glance.machine"), line(p.comma.join(decisions) or p("mark.none"))),
        (p("glance.countries"), line(p.comma.join(map(p.country, sharing.countries(policy))))),
        (p("glance.answer"), line(p("glance.answer_value"))),
        (
            p("glance.delete"),
            line(
                p(
                    "glance.delete_value",
                    hours=policy.clocks.closure_cool_off_hours,
                    days=policy.clocks.closure_backups_days,
                )
            ),
        ),
    ]
    intro: list[Block] = [
        para(words, p, "" if index else "lead") for index, words in enumerate(policy.policy.intro)
    ]
    return [*intro, *short(policy, p), Head(p("glance.title"), "glance"), Facts(tuple(rows))]


def _person(person: Person, p: Phrases) -> Line:
    if person.name is None or person.email is None:
        return line(person.none_because[p.language] if person.none_because else p("mark.none"))
    return line(
        ", ".join([person.name, *person.address]) + " · ", Link(person.email, f"mailto:{person.email}")
    )


def _controller(policy: Policy, p: Phrases) -> list[Block]:
    who = policy.controller
    rows: list[tuple[str, Line]] = [
        (p("who.name"), line(Mark(who.legal_name))),
        (p("who.address"), line(", ".join(who.address))),
        (p("who.register"), line(who.register_entry)),
        (p("who.mail"), line(Link(who.email, f"mailto:{who.email}"))),
        (p("who.team"), line(who.team[p.language])),
        (p("who.dpo"), _person(policy.dpo, p)),
        (p("who.eu"), _person(policy.representatives.eu, p)),
        (p("who.uk"), _person(policy.representatives.uk, p)),
    ]
    before: list[Block] = [para(who.independence, p)] if who.independence else []
    return [*before, Facts(tuple(rows))]


def _rights(policy: Policy, p: Phrases) -> list[Block]:
    clocks = policy.clocks
    rows = [(line(Mark(p(f"right.{name}"))), line(p(f"right.{name}_text"))) for name in policy.rights.gdpr]
    return [
        para(policy.rights.text, p),
        Table(p("section.rights"), (p("head.right"), p("head.meaning")), tuple(rows)),
        Head(p("rights.how")),
        Items(
            (
                line(Link(p("rights.privacy_centre"), policy.rights.where)),
                line(Link(p("rights.public_form"), policy.rights.public_form)),
                line(Link(policy.contact.email, f"mailto:{policy.contact.email}")),
            )
        ),
        Facts(
            (
                (p("rights.identity"), line(policy.rights.identity[p.language])),
                (p("rights.cost"), line(policy.rights.free[p.language])),
            )
        ),
        Head(p("rights.clocks")),
        Facts(
            (
                (
                    p("rights.answer"),
                    line(p("rights.answer_value", extend=p("period.months", n=clocks.gdpr_extend_months))),
                ),
                (p("rights.export"), line(p("rights.export_value", days=clocks.export_days))),
                (
                    p("rights.complaint"),
                    line(
                        p(
                            "rights.complaint_value",
                            ack=p("period.days", n=clocks.complaint_acknowledge_days),
                            answer=p("period.days", n=clocks.complaint_answer_days),
                        )
                    ),
                ),
                (
                    p("rights.support"),
                    line(p("rights.support_value", days=p("period.days", n=clocks.support_answer_days))),
                ),
            )
        ),
    ]


def _security(policy: Policy, p: Phrases) -> list[Block]:
    security = policy.security
    measures = tuple((m.title[p.language], line(m.text[p.language])) for m in security.measures.values())
    return [
        para(security.text, p),
        Facts(measures),
        Head(p("security.yours")),
        para(security.yours, p),
        Head(p("security.limits")),
        para(security.limits, p),
        Head(p("security.breach")),
        para(policy.breach.text, p),
        para(policy.breach.people, p),
        Head(p("reviews.title")),
        Facts(tuple(_review(one, p) for one in policy.reviews.values())),
        Para(line(p("reviews.checked") + p("mark.space"), Link(p("reviews.trust"), "/trust/"))),
    ]


def _review(one: Planned, p: Phrases) -> tuple[str, Line]:
    often = p("reviews.every", n=one.every_days)
    return one.title[p.language], line(one.text[p.language] + p("mark.space"), Mark(often, "badge"))


def _children(policy: Policy, p: Phrases) -> list[Block]:
    children = policy.children
    by_age: dict[int, list[str]] = {}
    for country, age in children.ages.items():
        by_age.setdefault(age, []).append(p.country(country))
    rows = [(str(age), line(p.comma.join(sorted(by_age[age])))) for age in sorted(by_age)]
    rows.append((str(children.default_age), line(p("children.default"))))
    return [
        para(children.text, p),
        para(children.found, p),
        Para(line(children.parents[p.language] + p("mark.space"), Link(p("children.report"), children.form))),
        Head(p("children.ages")),
        Facts(tuple(rows)),
        Para(line(p("children.contract_age", n=children.contract_age))),
    ]


def _automated(policy: Policy, p: Phrases) -> list[Block]:
    blocks: list[Block] = [para(policy.automated.text, p)]
    for decision in policy.automated.decisions.values():
        blocks.append(Head(decision.title[p.language]))
        blocks.append(
            Items(tuple(line(w[p.language]) for w in (decision.logic, decision.consequence, decision.review)))
        )
    return blocks


def _changes(policy: Policy, p: Phrases) -> list[Block]:
    channels = p.comma.join(p(f"changes.{channel}") for channel in policy.changes.channels)
    return [
        para(policy.changes.text, p),
        para(policy.changes.reread, p),
        Facts(
            (
                (p("changes.notice"), line(p("changes.notice_value", n=policy.changes.notice_days))),
                (p("changes.channels"), line(channels)),
            )
        ),
    ]


def _complaint(policy: Policy, p: Phrases) -> list[Block]:
    authority = policy.authority
    place = ", ".join([*authority.address, p.country(authority.country)])
    return [
        Facts(
            (
                (p("authority.name"), line(Mark(authority.name))),
                (p("who.address"), line(place)),
                (p("authority.site"), line(Link(authority.url, authority.url))),
            )
        ),
        para(authority.others, p),
    ]


def _contact(policy: Policy, p: Phrases) -> list[Block]:
    contact = policy.contact
    mails = (
        ("privacy", contact.email),
        ("support", contact.support_email),
        ("security", contact.security_email),
    )
    rows = [(p(f"contact.{name}"), line(Link(mail, f"mailto:{mail}"))) for name, mail in mails]
    rows += [
        (p("contact.form"), line(Link(contact.form, contact.form))),
        (p("contact.post"), line(", ".join([policy.controller.legal_name, *policy.controller.address]))),
        (p("contact.languages"), line(p.comma.join(p(f"language.{name}") for name in contact.languages))),
    ]
    return [para(contact.text, p), Facts(tuple(rows))]


def _history(policy: Policy, p: Phrases) -> list[Block]:
    rows = tuple((p.date(past.on), line(past.text[p.language])) for past in policy.history)
    facts: list[Block] = [Facts(rows)] if rows else []
    return [*facts, Para(line(Link(p("history.versions"), "/privacy/versions/")))]


PARTS: dict[str, Part] = {
    "controller": _controller,
    "collection": data.collection,
    "use": data.use,
    "sharing": sharing.recipients,
    "transfers": sharing.transfers,
    "cookies": sharing.cookies,
    "rights": _rights,
    "security": _security,
    "retention": data.retention,
    "children": _children,
    "automated": _automated,
    "changes": _changes,
    "complaint": _complaint,
    "ccpa": california.section,
    "contact": _contact,
    "history": _history,
}
