"""What the keystore holds."""

from tollkeeper.core.personal import Export, Keep, Model, OnErasure, Personal, Plain

INVENTORY = {
    "keystore.SubjectKey": Model(
        path="custom: tollkeeper.kit.keystore.vault.key_row",
        keep=Keep("account"),
        columns={
            "subject": Personal("account.id", "security", erase=OnErasure.KEEP),
            "kek_id": Plain("key: which installation key wraps it"),
            "wrapped": Personal("account.id", "security", erase=OnErasure.NULL, export=Export.WITHHELD),
            "destroyed_at": Plain("time"),
        },
        note="The tombstone of an erased subject stays: it keeps a restored backup from reviving them.",
    ),
    "keystore.LogSecret": Model(
        path="nobody: keys of days, not of people; destroyed with the day's log",
        columns={
            "id": Plain("key"),
            "log": Plain("config"),
            "day": Plain("time"),
            "kek_id": Plain("key: which installation key wraps it"),
            "wrapped": Plain("key: wrapped"),
            "destroyed_at": Plain("time"),
        },
    ),
    "keystore.Generation": Model(
        path="nobody: one counter for the whole installation",
        columns={"id": Plain("key"), "value": Plain("count")},
    ),
}
