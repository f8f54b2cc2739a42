"""What the tables of choices and requests hold."""

from tollkeeper.core.personal import Export, Keep, Model, OnErasure, Personal, Plain
from tollkeeper.privacy import inventory_cases, inventory_proofs

INVENTORY = {
    **inventory_cases.INVENTORY,
    **inventory_proofs.INVENTORY,
    "privacy.Choice": Model(
        path="subject",
        keep=Keep("choices", since="chosen_at"),
        columns={
            "id": Plain("key"),
            "subject": Plain("link"),
            "browser": Personal("choices", "legal"),
            "purpose": Personal("choices", "legal", export=Export.PROVIDED),
            "action": Personal("choices", "legal", export=Export.PROVIDED),
            "policy_version": Plain("key"),
            "text_hash": Plain("keyed hash of words of ours"),
            "source": Personal("choices", "legal"),
            "chosen_at": Personal("choices", "legal"),
        },
    ),
    "privacy.Request": Model(
        path="subject",
        keep=Keep("requests", since="received_at"),
        columns={
            "id": Plain("key"),
            "number": Personal("requests", "legal", erase=OnErasure.KEEP),
            "case": Personal("requests", "legal", erase=OnErasure.PSEUDONYM, export=Export.WITHHELD),
            "subject": Plain("link"),
            "kind": Personal("requests", "legal", erase=OnErasure.KEEP, export=Export.PROVIDED),
            "regime": Personal("requests", "legal", erase=OnErasure.KEEP),
            "channel": Personal("requests", "legal", erase=OnErasure.KEEP),
            "state": Plain("state"),
            "contact": Personal(
                "requests", "legal", erase=OnErasure.NULL, export=Export.PROVIDED, sealed=True
            ),
            "words": Personal("requests", "legal", erase=OnErasure.NULL, export=Export.PROVIDED, sealed=True),
            "received_at": Personal("requests", "legal", erase=OnErasure.KEEP),
            "due_on": Plain("time"),
            "answered_at": Personal("requests", "legal", erase=OnErasure.KEEP),
            "acknowledge_by": Plain("time"),
            "acknowledged_at": Personal("requests", "legal", erase=OnErasure.KEEP),
            "extended_on": Plain("time"),
            "paused_at": Plain("time"),
            "paused_days": Plain("count"),
            "ground": Personal("requests", "legal", erase=OnErasure.KEEP),
        },
        note="What was asked and when it was answered stays without its person: proof that it was done.",
    ),
    "privacy.PolicyVersion": Model(
        path="nobody: versions of the policy",
        columns={
            "number": Plain("key"),
            "body": Plain("text of ours"),
            "body_hash": Plain("hash of a text of ours"),
            "documents": Plain("text of ours"),
            "documents_hash": Plain("hash of a text of ours"),
            "material": Plain("state"),
            "reasons": Plain("words of ours"),
            "state": Plain("state"),
            "created_at": Plain("time"),
            "announced_at": Plain("time"),
            "effective_on": Plain("time"),
            "activated_at": Plain("time"),
            "ended_at": Plain("time"),
        },
    ),
    "privacy.PolicyNotice": Model(
        path="subject",
        keep=Keep("requests", since="version.created_at"),
        columns={
            "id": Plain("key"),
            "version": Plain("link"),
            "subject": Plain("link"),
            "sent_at": Personal("requests", "notice", "legal"),
            "bounced_at": Personal("requests", "notice", "legal"),
            "seen_at": Personal("requests", "notice", "legal"),
        },
    ),
    "privacy.Restriction": Model(
        path="subject",
        keep=Keep("choices", since="since"),
        columns={
            "id": Plain("key"),
            "subject": Plain("link"),
            "keep_service": Personal("choices", "legal", export=Export.PROVIDED),
            "since": Personal("choices", "legal"),
        },
    ),
    "privacy.Breach": Model(
        path="nobody: what happened and when it was told; who was affected is asked of the tables",
        columns={
            "id": Plain("key"),
            "number": Plain("key"),
            "kind": Plain("code of ours"),
            "note": Plain("code of ours"),
            "noticed_at": Plain("time"),
            "authority_due_at": Plain("time"),
            "authority_told_at": Plain("time"),
            "people_told_at": Plain("time"),
            "closed_at": Plain("time"),
            "affected": Plain("count"),
        },
    ),
}
