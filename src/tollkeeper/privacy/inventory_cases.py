"""What the tables of hold orders, reports of minors and authorities' cases hold."""

from __future__ import annotations

from tollkeeper.core.personal import Export, Keep, Model, OnErasure, Personal, Plain


def _kept(export: Export = Export.OBSERVED) -> Personal:
    return Personal("requests", "legal", erase=OnErasure.KEEP, export=export)


def _reporter() -> Personal:
    """Another person's words: never in the copy of whom they are about."""
    return Personal("requests", "legal", erase=OnErasure.NULL, export=Export.WITHHELD, sealed=True)


INVENTORY = {
    "privacy.Hold": Model(
        path="subject",
        keep=Keep("requests", since="released_at", note="An order that is not released has a day of review."),
        columns={
            "id": Plain("key"),
            "number": _kept(),
            "subject": Plain("link"),
            "record_set": _kept(),
            "tables": Plain("config: names of tables"),
            "year": Plain("time: a fiscal year"),
            "ground": _kept(Export.WITHHELD),  # an order to keep data may be under a gag
            "authority": _kept(Export.WITHHELD),
            "reviewer": Plain("key: pseudonym of the trail"),
            "review_on": _kept(),
            "made_at": _kept(),
            "released_at": _kept(),
        },
        note="That something was held stays without its person: proof that a delay had a ground.",
    ),
    "privacy.MinorReport": Model(
        path="subject",
        keep=Keep("requests", since="received_at"),
        columns={
            "id": Plain("key"),
            "number": _kept(),
            "case": Personal("requests", "legal", erase=OnErasure.PSEUDONYM, export=Export.WITHHELD),
            "subject": Plain("link"),
            "contact": _reporter(),
            "account": _reporter(),
            "words": _reporter(),
            "secret": Plain("keyed hash"),
            "state": Plain("state"),
            "was_active": Plain("state"),
            "received_at": _kept(),
            "confirmed_at": _kept(),
            "decide_by": Plain("time"),
            "decided_at": _kept(),
        },
        note="The reporter's words and address go after 90 days, before the row.",
    ),
    "privacy.AuthorityCase": Model(
        path="subject",
        keep=Keep("requests", since="over_at", note="A gag may last longer than a period."),
        columns={
            "id": Plain("key"),
            "number": _kept(Export.WITHHELD),
            "subject": Plain("link"),
            "authority": _kept(Export.WITHHELD),
            "country": _kept(Export.WITHHELD),
            "ground": _kept(Export.WITHHELD),
            "kind": _kept(Export.WITHHELD),
            "tables": Plain("config: names of tables"),
            "year": Plain("time: a fiscal year"),
            "state": Plain("state"),
            "form_ok": Plain("state"),
            "jurisdiction_ok": Plain("state"),
            "treaty_ok": Plain("state"),
            "opened_by": Plain("key: pseudonym of the trail"),
            "checked_by": Plain("key: pseudonym of the trail"),
            "opened_at": _kept(Export.WITHHELD),
            "due_on": Plain("time"),
            "decided_at": Plain("time"),
            "gag_until": Plain("time"),
            "told_at": Plain("time"),
            "over_at": Plain("time"),
        },
        note="Told by a notice of its own, or when the gag ends; hence not in the copy before.",
    ),
    "privacy.AuthorityYear": Model(
        path="nobody: counts of a year",
        columns={
            "year": Plain("time"),
            "received": Plain("count"),
            "released": Plain("count"),
            "refused": Plain("count"),
            "preserved": Plain("count"),
        },
    ),
    "privacy.ErasureReceipt": Model(
        path="nobody: counts of rows by table",
        columns={
            "id": Plain("key"),
            "number": Plain("key: of the request"),
            "begun_at": Plain("time"),
            "erased_at": Plain("time"),
            "gone": Plain("count: by table", keys=("*",)),
            "kept": Plain("count: by table", keys=("*",)),
        },
    ),
    "privacy.Forgetting": Model(
        path="detached: the person is erased; what the processor calls them goes once it has forgotten",
        keep=Keep("requests", since="made_at"),
        columns={
            "id": Plain("key"),
            "receipt": Plain("key: of the erasure"),
            "mark": Plain("keyed hash"),
            "kind": Plain("word of ours"),
            "processor": Plain("config: name of the processor"),
            "reference": Personal("requests", "legal", export=Export.WITHHELD),
            "state": Plain("state"),
            "tries": Plain("count"),
            "code": Plain("word of ours"),
            "made_at": Plain("time"),
            "due_on": Plain("time"),
            "told_at": Plain("time"),
        },
    ),
}
