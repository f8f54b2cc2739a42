"""Nodes of the policy tree: who is responsible, what data, why, from whom, to whom.

Texts that people read are :class:`Words`, one per language. Keys of categories and
purposes are the words that the inventories use (``core.personal``).
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

EEA = frozenset(
    [
        "AT",
        "BE",
        "BG",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GR",
        "HR",
        "HU",
        "IE",
        "IS",
        "IT",
        "LI",
        "LT",
        "LU",
        "LV",
        "MT",
        "NL",
        "NO",
        "PL",
        "PT",
        "RO",
        "SE",
        "SI",
        "SK",
    ]
)
"""Countries between which personal data needs no transfer tool."""


T = TypeVar("T")


def _no_repeat(value: tuple[T, ...]) -> tuple[T, ...]:
    if len(set(map(str, value))) < len(value):
        raise ValueError("names the same thing twice")
    return value


Many = Annotated[tuple[T, ...], Field(strict=False), AfterValidator(_no_repeat)]
"""A list of the file."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=4000, strip_whitespace=True)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$", max_length=60)]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]
Url = Annotated[str, StringConstraints(pattern=r"^https://[^\s]+$", max_length=500)]
Host = Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]+(:\d+)?$", max_length=253)]
Days = Annotated[int, Field(ge=0, le=36_600)]
Promise = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,3}-\d{2,3}$")]


class Node(BaseModel):
    """A node of the tree: no unknown key, no silent conversion, no change afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Words(Node):
    """One text in the languages of the page."""

    en: Text
    zh: Text | None = None

    def __getitem__(self, language: str) -> str:
        """The text in ``language`` (``en`` or ``zh``); English where it is not translated."""
        return (self.zh if language == "zh" else None) or self.en


class Head(Node):
    """What this policy is called and which promises it is held to."""

    title: Words
    service: Text
    """The name under which the service is known."""
    languages: Many[Literal["en", "zh"]] = ("en",)
    intro: Many[Words] = ()
    url: Url | None = None


class Past(Node):
    """A policy that was in force before the first version kept here."""

    on: dt.date
    text: Words


class Controller(Node):
    """Who decides about the data and answers for it."""

    legal_name: Text
    address: Annotated[Many[Text], Field(min_length=2)]
    country: Country
    register_entry: Text
    email: Email
    team: Words
    """Who, inside, answers for privacy."""
    independence: Words | None = None
    """Whose business this is, where readers could mistake it."""


class Person(Node):
    """A representative or officer: either somebody, or the reason why nobody is needed."""

    name: Text | None = None
    address: Many[Text] = ()
    email: Email | None = None
    none_because: Words | None = None


class Representatives(Node):
    """Representatives of Art. 27, per territory."""

    eu: Person
    uk: Person


class Authority(Node):
    """The supervisory authority, and what else one may do."""

    name: Text
    country: Country
    address: Many[Text] = ()
    url: Url
    others: Words
    """That other authorities and the courts are open too."""


class Purpose(Node):
    """What data is used for, and what allows it."""

    title: Words
    text: Words
    basis: Literal["contract", "law", "interest", "consent"]
    necessity: Words
    """Why it cannot be done with less."""
    interest: Words | None = None
    balancing: Words | None = None
    balanced_on: dt.date | None = None
    duties: Many[Name] = ()
    provision: Literal["contract", "law", "free"]
    """Whether a contract or a law asks for the data, or nobody must give it (Art. 13(2)(e))."""
    consequence: Words
    """What happens without the data."""
    aggregates_only: bool = False
    """The purpose reads counts that lead back to nobody."""


class Duty(Node):
    """One duty that a law sets: never "legal reasons" as such."""

    title: Words
    reference: Text
    period: Words


class Category(Node):
    """A kind of personal data; each has at least one column in the inventories."""

    title: Words
    text: Words
    group: Literal["account", "orders", "delivery", "support", "technical", "usage", "rights"]
    purposes: Annotated[Many[Name], Field(min_length=1)]
    sources: Annotated[Many[Name], Field(min_length=1)]
    keep: Annotated[Many[Name], Field(min_length=1)]
    optional: bool = False
    fides: Annotated[str, StringConstraints(pattern=r"^user(\.[a-z_]+)*$")]
    ccpa: Annotated[Many[Literal["A", "B", "D", "F", "G", "H", "K", "L"]], Field(min_length=1)]
    """Letters of Cal. Civ. Code §1798.140(v)(1); L is sensitive personal information."""


class Source(Node):
    """Where data comes from when it is not in the reader's own hands (Art. 14)."""

    title: Words
    text: Words
    kind: Literal["you", "device", "service", "other"]


class Contract(Node):
    """What binds a recipient. ``until`` is when it must be looked at again."""

    kind: Literal["processing", "independent", "none_yet"]
    reference: Text
    signed_on: dt.date | None = None
    until: dt.date | None = None


class Transfer(Node):
    """What carries data out of the EEA."""

    tool: Literal["none", "adequacy", "clauses", "derogation"]
    reference: Text = "—"
    until: dt.date | None = None
    assessment: Url | None = None


class Recipient(Node):
    """Who gets data from us. There is no word for a buyer of data: that role cannot be written."""

    name: Text
    role: Literal["processor", "controller", "authority"]
    kind: Literal["payment", "hosting", "mail", "delivery", "analytics", "security", "support", "authority"]
    service: Words
    when: Words
    """In which case it receives anything."""
    country: Country
    countries: Many[Country] = ()
    """Where else the data may lie."""
    hosts: Many[Host] = ()
    """The only addresses the egress door opens for it."""
    fields: Many[Text] = ()
    """The only fields the egress door lets pass to it."""
    categories: Many[Name] = ()
    purposes: Many[Name] = ()
    contract: Contract
    transfer: Transfer
    notice: Url | None = None


class Place(Node):
    """A store of ours: what lies where."""

    title: Words
    country: Country
    holder: Name | None = None
    """The recipient whose machines it stands on."""
