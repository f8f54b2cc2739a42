"""What the tables of outgoing webhooks hold."""

from tollkeeper.core.personal import Export, Keep, Model, OnErasure, Personal, Plain


def _own() -> Personal:
    return Personal("account.settings", "notice", erase=OnErasure.SHRED, export=Export.PROVIDED, sealed=True)


_EVENTS = Keep("order", since="created_at", note="forgotten after 30 days already")

INVENTORY = {
    "outbox.Endpoint": Model(
        path="customer.owner",
        keep=Keep("account"),
        note="an endpoint without a customer is the operator's own",
        columns={
            "id": Plain("key"),
            "number": Plain("key"),
            "customer": Plain("link"),
            "case": Plain("key: whose sealing key opens this endpoint"),
            "url": _own(),
            "secret": Personal(
                "account.settings", "notice", erase=OnErasure.SHRED, export=Export.WITHHELD, sealed=True
            ),
            "old_secret": Personal(
                "account.settings", "notice", erase=OnErasure.SHRED, export=Export.WITHHELD, sealed=True
            ),
            "old_until": Plain("time"),
            "kinds": Personal("account.settings", "notice", export=Export.PROVIDED),
            "state": Plain("state"),
            "created_at": Personal("account.settings", "notice"),
            "lease_until": Plain("time"),
        },
    ),
    "outbox.Event": Model(
        path="customer.owner",
        keep=_EVENTS,
        columns={
            "id": Plain("key"),
            "number": Plain("key"),
            "customer": Plain("link"),
            "key": Plain("key: of the object that it is about"),
            "kind": Personal("order", "order"),
            "body": Personal("order", "order"),
            "created_at": Personal("order", "order"),
        },
    ),
    "outbox.Post": Model(
        path="event.customer.owner",
        keep=Keep("order", since="event.created_at", note="forgotten after 30 days already"),
        columns={
            "id": Plain("key"),
            "endpoint": Plain("link"),
            "event": Plain("link"),
            "state": Plain("state"),
            "tries": Plain("count"),
            "answer": Plain("state"),
            "error": Plain("state"),
            "next_at": Plain("time"),
            "sent_at": Personal("order", "order"),
        },
    ),
    "outbox.Cursor": Model(
        path="nobody: how far numbered rows were read",
        columns={"name": Plain("key"), "position": Plain("count")},
    ),
}
