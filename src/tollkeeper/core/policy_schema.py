"""The form of ``policy.toml``: the whole tree, strict, without rules across nodes.

Rules that need more than one node stand in ``core.policy_rules``.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from tollkeeper.core.policy_nodes import (
    Authority,
    Category,
    Controller,
    Country,
    Duty,
    Email,
    Head,
    Many,
    Name,
    Node,
    Past,
    Person,
    Place,
    Promise,
    Purpose,
    Recipient,
    Representatives,
    Source,
    Text,
    Url,
    Words,
)


class Transfers(Node):
    text: Words
    copies: Words
    """How one gets a copy of the safeguards."""
    places: dict[Name, Place]


class Cookie(Node):
    """A cookie or another value in the browser. What is not here cannot be set."""

    storage: Literal["cookie", "local", "session"] = "cookie"
    purpose: Words
    use: Name
    need: Literal["essential", "preference", "optional"]
    days: Annotated[int, Field(ge=0, le=395)]
    """Life in days; 0 lasts until the browser closes."""
    when: Words
    without: Words
    """What does not work without it."""


class Cookies(Node):
    text: Words
    control: Words
    signal: Words
    """How ``Sec-GPC`` is answered."""
    registry: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$")], Cookie]


class Rights(Node):
    """The rights offered per regime; the law's list is the least that passes."""

    text: Words
    identity: Words
    free: Words
    gdpr: Many[Name] = ()
    ccpa: Many[Name] = ()
    where: Text
    """Path of the privacy centre in the console."""
    public_form: Text
    """Path of the form that needs no account."""


class Clocks(Node):
    """Periods that we keep, each no longer than the law's."""

    gdpr_answer_months: Annotated[int, Field(ge=1, le=1)] = 1
    gdpr_extend_months: Annotated[int, Field(ge=0, le=2)] = 2
    ccpa_acknowledge_working_days: Annotated[int, Field(ge=0, le=10)] = 10
    ccpa_answer_days: Annotated[int, Field(ge=1, le=45)] = 45
    ccpa_extend_days: Annotated[int, Field(ge=0, le=45)] = 45
    ccpa_opt_out_working_days: Annotated[int, Field(ge=0, le=15)] = 15
    complaint_acknowledge_days: Annotated[int, Field(ge=0, le=7)]
    complaint_answer_days: Annotated[int, Field(ge=1, le=30)]
    support_answer_days: Annotated[int, Field(ge=1, le=30)]
    closure_cool_off_hours: Annotated[int, Field(ge=0, le=168)]
    closure_processors_days: Annotated[int, Field(ge=1, le=90)]
    closure_backups_days: Annotated[int, Field(ge=1, le=90)]
    export_days: Annotated[int, Field(ge=1, le=30)]


class KeepRule(Node):
    """How long at most, counted from what, and why that long."""

    days: Annotated[int, Field(ge=1, le=4018)]
    trigger: Literal["closure", "row"]
    text: Words
    ground: Words
    law: Text | None = None
    then: Literal["delete", "anonymise", "destroy_key"] = "delete"
    logs: bool = False
    """A log: 90 days are the most."""


class Children(Node):
    text: Words
    contract_age: Annotated[int, Field(ge=13, le=21)]
    default_age: Annotated[int, Field(ge=13, le=18)]
    ages: dict[Country, Annotated[int, Field(ge=13, le=18)]]
    parents: Words
    found: Words
    decide_hours: Annotated[int, Field(ge=1, le=72)]
    erase_hours: Annotated[int, Field(ge=1, le=168)]
    form: Text


class Changes(Node):
    text: Words
    notice_days: Annotated[int, Field(ge=14, le=180)]
    channels: Annotated[Many[Literal["mail", "console"]], Field(min_length=1)]
    reread: Words


class Contact(Node):
    email: Email
    support_email: Email
    security_email: Email
    form: Text
    text: Words
    languages: Annotated[Many[Literal["en", "zh"]], Field(min_length=1)]


class Breach(Node):
    text: Words
    authority_hours: Annotated[int, Field(ge=1, le=72)]
    people: Words


class Decision(Node):
    """A decision without a human in it (Art. 22)."""

    title: Words
    logic: Words
    consequence: Words
    review: Words


class Automated(Node):
    text: Words
    decisions: dict[Name, Decision] = Field(default_factory=dict)


class Measure(Node):
    """One measure of protection, said so that it can be checked."""

    title: Words
    text: Words


class Security(Node):
    text: Words
    limits: Words
    """That nobody can promise absolute safety, and what follows from it."""
    yours: Words
    """What the reader can do."""
    measures: Annotated[dict[Name, Measure], Field(min_length=3)]


class Gdpr(Node):
    applies: Literal[True]
    badge: bool = False


class Ccpa(Node):
    applies: bool
    badge: bool = False
    reviewed_on: dt.date | None = None
    """The yearly review."""
    agents: Words | None = None
    retaliation: Words | None = None
    sale: Words | None = None
    """The statement on selling and sharing; there is no form of saying that it happens."""
    large: bool = False
    """Handles the data of ten million or more: yearly figures are due."""
    metrics: Url | None = None


class Regimes(Node):
    gdpr: Gdpr
    ccpa: Ccpa


class Sharing(Node):
    text: Words
    never: Words
    """No sale, no trade, no rent."""
    authorities: Words
    standing: Words
    """What binds everybody who gets data."""


class Use(Node):
    text: Words
    aggregates: Words
    k: Annotated[int, Field(ge=20)] = 20
    """The least number of people behind a published figure."""


class Collection(Node):
    text: Words
    not_collected: Words


class Retention(Node):
    text: Words
    closure: Words
    after: Words
    inactive_months: Annotated[int, Field(ge=6, le=60)]


class Passing(Node):
    """Data that goes through to recipients and is not stored: no column may hold it."""

    title: Words
    text: Words
    purposes: Annotated[Many[Name], Field(min_length=1)]
    to: Annotated[Many[Name], Field(min_length=1)]
    """The recipients to whom it is passed on."""


class Planned(Node):
    """A review of the audit plan: what people look at, and how often at least."""

    title: Words
    text: Words
    every_days: Annotated[int, Field(ge=7, le=400)]


class Promised(Words):
    """One promise in a line, as the page of proofs shows it, and the section of the policy that makes it."""

    section: Text


class Policy(Node):
    """The whole tree. ``reviews`` is the audit plan, ``promises`` what the shop is held to."""

    policy: Head
    history: Many[Past] = ()
    controller: Controller
    representatives: Representatives
    dpo: Person
    authority: Authority
    collection: Collection
    use: Use
    purposes: Annotated[dict[Name, Purpose], Field(min_length=1)]
    duties: dict[Name, Duty] = Field(default_factory=dict)
    categories: Annotated[dict[Name, Category], Field(min_length=1)]
    sources: Annotated[dict[Name, Source], Field(min_length=1)]
    passing: dict[Name, Passing] = Field(default_factory=dict)
    sharing: Sharing
    recipients: dict[Name, Recipient]
    transfers: Transfers
    cookies: Cookies
    rights: Rights
    clocks: Clocks
    security: Security
    retention: Retention
    keep: Annotated[dict[Name, KeepRule], Field(min_length=1)]
    children: Children
    changes: Changes
    contact: Contact
    breach: Breach
    automated: Automated
    regimes: Regimes
    reviews: Annotated[dict[Name, Planned], Field(min_length=1)]
    promises: dict[Promise, Promised]
