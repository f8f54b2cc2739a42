"""What the trail holds of people: pseudonyms, and who received which kinds of data."""

from __future__ import annotations

from tollkeeper.core.personal import Keep, Model, OnErasure, Personal, Plain

_AUDIT = Keep("audit", since="at")

INVENTORY = {
    "trail.Pseudonym": Model(
        path="custom: tollkeeper.kit.trail.subjects.pseudonyms",
        keep=Keep("account"),
        columns={
            "subject": Personal("account.id", "security", "legal"),
            "name": Personal("account.id", "security", "legal", erase=OnErasure.DELETE),
            "created_at": Plain("time"),
        },
        note="Deleting the row makes the trail's pseudonym lead nowhere.",
    ),
    "trail.Tip": Model(
        path="nobody: the end of the chain",
        columns={"id": Plain("key"), "seq": Plain("count"), "mac": Plain("code of the chain")},
    ),
    "trail.Entry": Model(
        path="custom: tollkeeper.kit.trail.subjects.entries",
        keep=_AUDIT,
        columns={
            "seq": Plain("key"),
            "at": Personal("technical.times", "security", "legal", erase=OnErasure.KEEP),
            "actor": Personal("account.id", "security", "legal", erase=OnErasure.KEEP),
            "verb": Plain("word of ours"),
            "object": Plain("label and id"),
            "subject": Personal("account.id", "security", "legal", erase=OnErasure.KEEP),
            "fields": Plain("names of columns"),
            "note": Plain("code of ours"),
            "mac": Plain("code of the chain"),
        },
        note="Pseudonyms only: after erasure nothing leads from them to a person.",
    ),
    "trail.AuditHead": Model(
        path="nobody: the signed end of the chain",
        columns={
            "id": Plain("key"),
            "on": Plain("time"),
            "kind": Plain("word of ours"),
            "seq": Plain("count"),
            "mac": Plain("code of the chain"),
            "signature": Plain("signature of ours"),
            "created_at": Plain("time"),
        },
    ),
    "trail.Disclosure": Model(
        path="custom: tollkeeper.kit.trail.subjects.disclosures",
        keep=Keep("requests", since="at"),
        columns={
            "id": Plain("key"),
            "at": Personal("requests", "legal", erase=OnErasure.KEEP),
            "processor": Personal("requests", "legal", erase=OnErasure.KEEP),
            "purpose": Plain("word of the policy"),
            "subject": Personal("account.id", "legal", erase=OnErasure.NULL),
            "fields": Plain("names of fields, never values"),
            "categories": Plain("names of the policy's categories"),
            "size": Plain("count"),
            "outcome": Plain("word of ours"),
        },
    ),
    "trail.Clearance": Model(
        path="nobody: empty outside a running transaction",
        columns={"table": Plain("name of a table"), "reason": Plain("word of ours")},
    ),
}
