"""Rules of the policy tree that need more than one node, and those that need the date.

Each rule yields :class:`Finding` rows: where, and one sentence on what to do. They never
stop at the first, so that a reader of ``tollkeeper shop check`` sees all at once.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tollkeeper.core.policy_nodes import EEA, Node, Person, Purpose, Recipient, Words
from tollkeeper.core.policy_schema import Policy

Path = tuple[str | int, ...]

SECTIONS = [
    "top",
    "controller",
    "collection",
    "use",
    "sharing",
    "transfers",
    "cookies",
    "rights",
    "security",
    "retention",
    "children",
    "automated",
    "changes",
    "complaint",
    "ccpa",
    "contact",
    "history",
]
"""Sections of the page, in order. Promises name the section that makes them."""

GDPR_RIGHTS = [
    "informed",
    "access",
    "rectification",
    "erasure",
    "restriction",
    "portability",
    "object",
    "withdraw",
    "complaint",
    "human_review",
]
"""What every policy under the GDPR offers: Art. 7(3), 12 to 22 and 77."""

CCPA_RIGHTS = ["know", "delete", "correct", "opt_out", "limit", "no_retaliation", "agent"]
"""What every notice under the CCPA offers: Cal. Civ. Code §1798.100 to §1798.135."""

_PLACEHOLDER = re.compile(
    r"\.(example|invalid|test)\b|\bexample (ltd|inc|gmbh|b\.v\.|pte|street|operator)"
    r"|placeholder|lorem ipsum|\btodo\b|"
    r"\bxxx+\b|no\. 0{4,}",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to mend: ``path`` into the tree, ``text`` for a person."""

    path: Path
    text: str


def walk_words(node: object, path: Path = ()) -> Iterator[tuple[Path, Words]]:
    """Every text of the tree with its path, in the order of the tree."""
    if isinstance(node, Words):
        yield path, node
    elif isinstance(node, Node):
        for name in type(node).model_fields:
            yield from walk_words(getattr(node, name), (*path, name))
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from walk_words(value, (*path, key))
    elif isinstance(node, tuple):
        for index, value in enumerate(node):
            yield from walk_words(value, (*path, index))


def check_tree(policy: Policy) -> list[Finding]:
    """All findings that hold on any day."""
    return [finding for rule in _RULES for finding in rule(policy)]


def _known(path: Path, names: Iterable[str], known: Iterable[str], what: str) -> Iterator[Finding]:
    allowed = set(known)
    for name in names:
        if name not in allowed:
            yield Finding(path, f"names the {what} {name!r}, which this policy does not have")


def _translations(policy: Policy) -> Iterator[Finding]:
    if "zh" in policy.policy.languages:
        for path, words in walk_words(policy):
            if words.zh is None:
                yield Finding(path, "has no text in zh, a language of this policy")
    elif "en" not in policy.policy.languages:
        yield Finding(("policy", "languages"), "must hold en")


def _purposes(policy: Policy) -> Iterator[Finding]:
    used = {name for category in policy.categories.values() for name in category.purposes}
    for name, purpose in policy.purposes.items():
        path: Path = ("purposes", name)
        yield from _basis(policy, path, purpose)
        if name not in used and not purpose.aggregates_only:
            yield Finding(path, "is the purpose of no category")
    used_duties = {name for purpose in policy.purposes.values() for name in purpose.duties}
    for name in policy.duties.keys() - used_duties:
        yield Finding(("duties", name), "is the duty of no purpose")


def _basis(policy: Policy, path: Path, purpose: Purpose) -> Iterator[Finding]:
    if purpose.basis == "interest":
        for part in ("interest", "balancing", "balanced_on"):
            if getattr(purpose, part) is None:
                yield Finding((*path, part), "is required where the basis is a legitimate interest")
    if purpose.basis == "law":
        if not purpose.duties:
            yield Finding((*path, "duties"), "must name the duties: the law as such is no purpose")
        yield from _known((*path, "duties"), purpose.duties, policy.duties, "duty")
    elif purpose.duties:
        yield Finding((*path, "duties"), "belong to a purpose whose basis is law")
    if purpose.basis == "consent" and purpose.provision != "free":
        yield Finding((*path, "provision"), 'must be "free": consent that is required is none')


def _categories(policy: Policy) -> Iterator[Finding]:
    for name, category in policy.categories.items():
        path: Path = ("categories", name)
        yield from _known((*path, "purposes"), category.purposes, policy.purposes, "purpose")
        yield from _known((*path, "sources"), category.sources, policy.sources, "source")
        yield from _known((*path, "keep"), category.keep, policy.keep, "keep rule")


def _recipients(policy: Policy) -> Iterator[Finding]:
    for name, recipient in policy.recipients.items():
        path: Path = ("recipients", name)
        yield from _known((*path, "categories"), recipient.categories, policy.categories, "category")
        yield from _known((*path, "purposes"), recipient.purposes, policy.purposes, "purpose")
        if (recipient.role == "authority") != (recipient.kind == "authority"):
            yield Finding((*path, "role"), "is an authority in role and kind, or in neither")
        if recipient.hosts and not recipient.fields:
            yield Finding((*path, "fields"), "must list what may pass where hosts are listed")
        yield from _contract(path, recipient)
        abroad = {recipient.country, *recipient.countries} - EEA
        if recipient.role != "authority" and abroad and recipient.transfer.tool == "none":
            yield Finding(
                (*path, "transfer", "tool"),
                f"data goes to {', '.join(sorted(abroad))}: name adequacy, clauses or derogation",
            )
        if recipient.transfer.tool != "none" and recipient.transfer.reference == "—":
            yield Finding((*path, "transfer", "reference"), "must name the decision or the clauses")
        if recipient.transfer.tool == "clauses" and recipient.transfer.until is None:
            yield Finding((*path, "transfer", "until"), "is required: when the assessment is looked at again")
    for name, passing in policy.passing.items():
        yield from _known(("passing", name, "to"), passing.to, policy.recipients, "recipient")
        yield from _known(("passing", name, "purposes"), passing.purposes, policy.purposes, "purpose")
    for name, place in policy.transfers.places.items():
        if place.holder is not None:
            at = ("transfers", "places", name, "holder")
            yield from _known(at, [place.holder], policy.recipients, "recipient")


def _contract(path: Path, recipient: Recipient) -> Iterator[Finding]:
    if recipient.role == "processor" and recipient.contract.kind != "processing":
        yield Finding((*path, "contract", "kind"), 'of a processor must be "processing" (Art. 28)')
    if recipient.contract.kind == "processing":
        for part in ("signed_on", "until"):
            if getattr(recipient.contract, part) is None:
                yield Finding((*path, "contract", part), "is required for a processing contract")
    signed, until = recipient.contract.signed_on, recipient.contract.until
    if signed and until and until <= signed:
        yield Finding((*path, "contract", "until"), "lies before the day of signing")


def _cookies(policy: Policy) -> Iterator[Finding]:
    for name, cookie in policy.cookies.registry.items():
        path: Path = ("cookies", "registry", name)
        yield from _known((*path, "use"), [cookie.use], policy.purposes, "purpose")
        purpose = policy.purposes.get(cookie.use)
        if cookie.need == "optional" and purpose is not None and purpose.basis != "consent":
            yield Finding((*path, "use"), "must be a purpose with basis consent: the cookie is optional")


def _rights(policy: Policy) -> Iterator[Finding]:
    lists = [("gdpr", GDPR_RIGHTS, policy.rights.gdpr)]
    if policy.regimes.ccpa.applies:
        lists.append(("ccpa", CCPA_RIGHTS, policy.rights.ccpa))
    for regime, law, offered in lists:
        for name in law:
            if name not in offered:
                yield Finding(("rights", regime), f"lacks {name!r}, which the law gives")
        yield from _known(("rights", regime), offered, law, "right")
    for owner, part in (
        ("rights", "where"),
        ("rights", "public_form"),
        ("contact", "form"),
        ("children", "form"),
    ):
        if not getattr(getattr(policy, owner), part).startswith("/"):
            yield Finding((owner, part), "must be a path on this site that begins with /")


def _people(policy: Policy) -> Iterator[Finding]:
    people: list[tuple[Path, Person]] = [
        (("representatives", "eu"), policy.representatives.eu),
        (("representatives", "uk"), policy.representatives.uk),
        (("dpo",), policy.dpo),
    ]
    for path, person in people:
        somebody = person.name is not None and person.email is not None
        if somebody == (person.none_because is not None):
            yield Finding(path, "needs a name with an e-mail, or none_because: one of the two")
    country = policy.controller.country
    if country not in EEA and policy.representatives.eu.name is None:
        yield Finding(("representatives", "eu"), f"must be somebody: {country} is outside the EEA (Art. 27)")
    if country in EEA and policy.authority.country != country:
        yield Finding(("authority", "country"), f"must be {country}, where the controller is established")


def _periods(policy: Policy) -> Iterator[Finding]:
    for name, rule in policy.keep.items():
        if rule.logs and rule.days > 90:
            yield Finding(("keep", name, "days"), "is a log: 90 days are the most")
        if not rule.logs and rule.days > 1130 and rule.law is None:
            yield Finding(("keep", name, "law"), "must name the law that asks for more than three years")
    for country, age in policy.children.ages.items():
        if country in EEA and age > 16:
            yield Finding(("children", "ages", country), "lies above 16, the most that Art. 8 allows")


def _california(policy: Policy) -> Iterator[Finding]:
    ccpa = policy.regimes.ccpa
    if ccpa.applies:
        for part in ("reviewed_on", "agents", "retaliation", "sale"):
            if getattr(ccpa, part) is None:
                yield Finding(("regimes", "ccpa", part), "is required where the CCPA applies")
        if ccpa.large and ccpa.metrics is None:
            yield Finding(("regimes", "ccpa", "metrics"), "is required with ten million people or more")
    elif ccpa.badge:
        yield Finding(("regimes", "ccpa", "badge"), "cannot be shown where the CCPA does not apply")


def _promises(policy: Policy) -> Iterator[Finding]:
    for name, one in policy.promises.items():
        if one.section not in SECTIONS:
            text = f"names the section {one.section!r}; there are: {', '.join(SECTIONS)}"
            yield Finding(("promises", name, "section"), text)
    if not policy.promises:
        yield Finding(("promises",), "lists no promise: a policy is held to something")


_RULES = (
    _translations,
    _purposes,
    _categories,
    _recipients,
    _cookies,
    _rights,
    _people,
    _periods,
    _california,
    _promises,
)


def overdue(policy: Policy, today: dt.date) -> list[Finding]:
    """What has run out by ``today``: contracts, transfer tools, reviews. Badges fall with any of it."""
    found: list[Finding] = []
    for name, recipient in policy.recipients.items():
        for part, until in (("contract", recipient.contract.until), ("transfer", recipient.transfer.until)):
            if until is not None and until < today:
                found.append(Finding(("recipients", name, part, "until"), f"ran out on {until}"))
    for name, purpose in policy.purposes.items():
        if purpose.balanced_on and (today - purpose.balanced_on).days > 366 * 2:
            found.append(
                Finding(("purposes", name, "balanced_on"), "is more than two years ago: balance again")
            )
    reviewed = policy.regimes.ccpa.reviewed_on
    if policy.regimes.ccpa.applies and reviewed and (today - reviewed).days > 366:
        found.append(Finding(("regimes", "ccpa", "reviewed_on"), "is more than a year ago: review again"))
    return found


def placeholders(policy: Policy) -> list[Finding]:
    """Names and addresses that are not real: refused where money is real."""
    found: list[Finding] = []
    for owner in ("controller", "representatives", "dpo", "authority", "recipients", "contact"):
        for path, text in _texts(getattr(policy, owner), (owner,)):
            if _PLACEHOLDER.search(text):
                found.append(Finding(path, f"still holds a placeholder: {text!r}"))
    return found


def _texts(node: object, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(node, str):
        yield path, node
    elif isinstance(node, Node):
        for name in type(node).model_fields:
            yield from _texts(getattr(node, name), (*path, name))
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from _texts(value, (*path, key))
    elif isinstance(node, tuple):
        for index, value in enumerate(node):
            yield from _texts(value, (*path, index))
