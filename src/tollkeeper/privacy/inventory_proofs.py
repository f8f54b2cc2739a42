"""What the tables behind the promises hold: of people the pseudonyms of operators."""

from tollkeeper.core.personal import Keep, Model, OnErasure, Personal, Plain

_AUDIT = Keep("audit", since="at")

INVENTORY = {
    "privacy.ProofRun": Model(
        path="nobody: counts and hashes of a run of the proofs",
        columns={
            "id": Plain("key"),
            "ran_at": Plain("time"),
            "proven": Plain("count"),
            "attested": Plain("count"),
            "broken": Plain("count"),
            "not_used": Plain("count"),
            "broken_ids": Plain("key: ids of promises"),
            "policy_hash": Plain("hash"),
            "digest": Plain("hash"),
            "document": Plain("text of ours, public"),
            "entry": Plain("key"),
        },
    ),
    "privacy.Attestation": Model(
        path="custom: tollkeeper.privacy.attestations.rows_of",
        keep=_AUDIT,
        columns={
            "id": Plain("key"),
            "promise": Plain("key: id of a promise"),
            "action": Plain("word of ours"),
            "by": Personal("account.id", "security", "legal", erase=OnErasure.KEEP),
            "role": Plain("word of ours"),
            "since": Plain("time"),
            "until": Plain("time"),
            "covers": Plain("hash"),
            "signature": Plain("signature of ours"),
            "entry": Plain("key"),
            "at": Personal("technical.times", "security", "legal", erase=OnErasure.KEEP),
        },
        note="An operator's word under a pseudonym: after erasure nothing leads from it to them.",
    ),
    "privacy.Review": Model(
        path="custom: tollkeeper.privacy.reviews.rows_of",
        keep=_AUDIT,
        columns={
            "id": Plain("key"),
            "item": Plain("name of the audit plan"),
            "done_on": Plain("time"),
            "by": Personal("account.id", "security", "legal", erase=OnErasure.KEEP),
            "findings": Plain("count"),
            "entry": Plain("key"),
            "at": Personal("technical.times", "security", "legal", erase=OnErasure.KEEP),
        },
        note="As for words of operators.",
    ),
    "privacy.SignalDay": Model(
        path="nobody: a count for each day",
        columns={"day": Plain("time"), "requests": Plain("count")},
    ),
}
