"""What the tables of choices and requests hold."""

from tollkeeper.core.personal import Export, Keep, Model, OnErasure, Personal, Plain

INVENTORY = {
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
            "number": Personal("requests", "legal", erase=OnErasure.PSEUDONYM),
            "case": Plain("key: whose sealing key opens this case"),
            "subject": Plain("link"),
            "kind": Personal("requests", "legal", export=Export.PROVIDED),
            "regime": Personal("requests", "legal"),
            "channel": Personal("requests", "legal"),
            "state": Plain("state"),
            "contact": Personal(
                "requests", "legal", erase=OnErasure.SHRED, export=Export.PROVIDED, sealed=True
            ),
            "words": Personal(
                "requests", "legal", erase=OnErasure.SHRED, export=Export.PROVIDED, sealed=True
            ),
            "received_at": Personal("requests", "legal"),
            "due_on": Plain("time"),
            "answered_at": Personal("requests", "legal"),
        },
    ),
}
