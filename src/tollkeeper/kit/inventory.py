"""What the tables of durable work hold: ids and codes of ours, never a personal value."""

from tollkeeper.core.personal import Model, Plain

INVENTORY = {
    "kit.Job": Model(
        path="nobody: payloads hold ids of orders, lines and customers only; the canary scan verifies it",
        columns={
            "id": Plain("key"),
            "kind": Plain("config"),
            "key": Plain("key: of the object that is worked on"),
            "purpose": Plain("config: a purpose of the policy"),
            "payload": Plain("key: ids only", keys=("*",)),
            "state": Plain("state"),
            "run_at": Plain("time"),
            "attempts": Plain("count"),
            "lease": Plain("key: fencing token"),
            "lease_until": Plain("time"),
            "error_class": Plain("class of an error, never its text"),
            "error_place": Plain("place in the code"),
            "created_at": Plain("time"),
            "finished_at": Plain("time"),
        },
    ),
    "kit.Step": Model(
        path="nobody: results hold ids only",
        columns={
            "id": Plain("key"),
            "job": Plain("link"),
            "name": Plain("config"),
            "result": Plain("key: ids only", keys=("*",)),
            "done_at": Plain("time"),
        },
    ),
    "kit.Schedule": Model(
        path="nobody: when work is due",
        columns={"kind": Plain("config"), "every_us": Plain("config"), "next_at": Plain("time")},
    ),
    "kit.LogKey": Model(
        path="nobody: public keys, one for each log and day",
        columns={
            "id": Plain("key"),
            "log": Plain("config"),
            "day": Plain("time"),
            "public": Plain("key: public half; it opens nothing"),
        },
    ),
}
