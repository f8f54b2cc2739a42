"""The words of the inventory: what every stored column is, for whom, why and until when.

Each app says it beside its models, in ``inventory.py``::

    from tollkeeper.core.personal import Export, Keep, Model, OnErasure, Personal, Plain

    INVENTORY = {
        "sales.Order": Model(
            path="customer.owner",
            keep=Keep("order", since="closed_at"),
            columns={
                "id": Plain("key"),
                "customer": Plain("link"),
                "total_minor": Personal("order", "order", "legal", erase=OnErasure.KEEP),
            },
        ),
    }

A column that no inventory names refuses the boot (``tollkeeper.privacy.checks``).
Categories, purposes and keep rules are those of the shop's ``policy.toml``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class OnErasure(StrEnum):
    """What becomes of a personal column when its subject is erased."""

    DELETE = "delete"
    """The whole row goes."""
    NULL = "null"
    """The column is emptied, the row stays."""
    SHRED = "shred"
    """The value is sealed: destroying the subject's key makes it unreadable; the row goes too."""
    PSEUDONYM = "pseudonym"
    """The link to the subject is replaced by a random pseudonym, the row stays."""
    VAULT = "vault"
    """The law wants it: stays in the statutory vault, under the key of its fiscal year."""
    KEEP = "keep"
    """Stays as it is, because without its subject it says nothing of a person (sums, states)."""


class Export(StrEnum):
    """What the subject's own copy holds of a column."""

    PROVIDED = "provided"
    """Given by the subject: access (Art. 15) and portability (Art. 20)."""
    OBSERVED = "observed"
    """Seen or made by us: access and portability too where automated, never left out."""
    WITHHELD = "withheld"
    """A secret, or another person's: left out, and the export says so."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A column that says nothing of a person.

    ``reason`` is a word or a phrase: ``key`` (row id), ``link`` (foreign key), ``state``,
    ``time``, ``amount``, ``count``, ``config``, ``text of ours``… The canary scan verifies
    the claim. ``keys`` lists the keys a JSON column may hold (``("*",)``: any, never from people).
    """

    reason: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, init=False)
class Personal:
    """A column about a person: ``Personal(category, purpose, …)``.

    ``category`` and every purpose are names of the policy. ``keep`` overrides the model's.
    ``sealed`` says that the stored form is encrypted under the subject's key. ``keys`` lists
    the keys of a JSON column.
    """

    category: str
    purposes: tuple[str, ...]
    erase: OnErasure
    export: Export
    keep: Keep | None
    sealed: bool
    keys: tuple[str, ...]

    def __init__(
        self,
        category: str,
        *purposes: str,
        erase: OnErasure = OnErasure.DELETE,
        export: Export = Export.OBSERVED,
        keep: Keep | None = None,
        sealed: bool = False,
        keys: tuple[str, ...] = (),
    ) -> None:
        if not purposes:
            raise ValueError(f"a personal column of category {category!r} needs a purpose")
        object.__setattr__(self, "category", category)
        object.__setattr__(self, "purposes", purposes)
        object.__setattr__(self, "erase", erase)
        object.__setattr__(self, "export", export)
        object.__setattr__(self, "keep", keep)
        object.__setattr__(self, "sealed", sealed)
        object.__setattr__(self, "keys", keys)


@dataclass(frozen=True, slots=True)
class Keep:
    """How long: a keep rule of the policy, counted from ``since``.

    ``since`` is a column of the same model, or a path over foreign keys
    (``order.closed_at``); empty means from the closing of the subject's account.
    ``note`` says what a reader could not guess.
    """

    rule: str
    since: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """Every column of one table, by field name, and the way from a row to its subject.

    ``path`` is one of:

    - ``self``: the row is the subject (the user);
    - ``owner``, ``customer.owner``: foreign keys that end at the user;
    - ``customer_id > accounts.Customer.owner``: a bare number that is the id of another
      model's row, and the way on from there;
    - ``custom: package.module.function``: ``function(subject_id) -> QuerySet`` of this model;
    - ``detached: why``: personal, but the rows cannot be led back to a person, and why;
    - ``nobody: why``: no row is about a person; every column must be ``Plain``.

    ``keep`` is required wherever a column is personal.
    """

    path: str
    columns: Mapping[str, Plain | Personal]
    keep: Keep | None = None
    note: str = ""

    @property
    def kind(self) -> str:
        """``self``, ``link``, ``number``, ``custom``, ``detached`` or ``nobody``."""
        head, colon, _ = self.path.partition(":")
        if colon and head in ("custom", "detached", "nobody"):
            return head
        if self.path == "self":
            return "self"
        return "number" if ">" in self.path else "link"

    @property
    def personal(self) -> dict[str, Personal]:
        """The personal columns only."""
        return {name: column for name, column in self.columns.items() if isinstance(column, Personal)}

    def keep_of(self, column: str) -> Keep | None:
        """The keep rule that governs a column: its own, else the model's."""
        entry = self.columns[column]
        return entry.keep if isinstance(entry, Personal) and entry.keep is not None else self.keep


@dataclass(frozen=True, slots=True)
class Table:
    """A table that no model describes (a cache, the list of migrations): what its rows hold."""

    columns: tuple[str, ...]
    reason: str
    keep: Keep | None = None


@dataclass(frozen=True, slots=True)
class Inventory:
    """All models of an installation by label, and the tables without a model."""

    models: Mapping[str, Model] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
