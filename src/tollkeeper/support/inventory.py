"""What tickets hold."""

from tollkeeper.core.personal import Export, Keep, Model, OnErasure, Personal, Plain

_GIVEN = Export.PROVIDED
_SHRED = OnErasure.SHRED

INVENTORY = {
    "support.Ticket": Model(
        path="customer.owner",
        keep=Keep("support", since="closed_at"),
        columns={
            "id": Plain("key"),
            "number": Personal("support", "support", erase=OnErasure.PSEUDONYM),
            "customer": Plain("link"),
            "case": Plain("key: whose sealing key opens this ticket"),
            "contact": Personal("support", "support", erase=_SHRED, export=_GIVEN, sealed=True),
            "title": Personal("support", "support", erase=_SHRED, export=_GIVEN, sealed=True),
            "complaint": Personal("support", "support"),
            "state": Plain("state"),
            "opened_at": Personal("support", "support"),
            "due_at": Plain("time"),
            "answered_at": Personal("support", "support"),
            "closed_at": Personal("support", "support"),
        },
    ),
    "support.Message": Model(
        path="ticket.customer.owner",
        keep=Keep("support", since="ticket.closed_at"),
        columns={
            "id": Plain("key"),
            "ticket": Plain("link"),
            "from_us": Personal("support", "support"),
            "body": Personal("support", "support", erase=_SHRED, export=_GIVEN, sealed=True),
            "written_at": Personal("support", "support"),
        },
    ),
}
