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
            "language": Personal("support", "support", export=_GIVEN),
            "complaint": Personal("support", "support"),
            "state": Plain("state"),
            "agent": Plain("link to who of us answers"),
            "opened_at": Personal("support", "support"),
            "acknowledged_at": Personal("support", "support"),
            "due_at": Plain("time"),
            "answered_at": Personal("support", "support"),
            "closed_at": Personal("support", "support"),
            "reopened_count": Plain("count"),
        },
    ),
    "support.Message": Model(
        path="ticket.customer.owner",
        keep=Keep("support", since="ticket.closed_at"),
        columns={
            "id": Plain("key"),
            "ticket": Plain("link"),
            "from_us": Personal("support", "support"),
            "author": Plain("link to who of us wrote it"),
            "body": Personal("support", "support", erase=_SHRED, export=_GIVEN, sealed=True),
            "struck_count": Plain("count"),
            "written_at": Personal("support", "support"),
        },
    ),
    "support.Attachment": Model(
        path="message.ticket.customer.owner",
        keep=Keep("attachment", since="message.ticket.closed_at"),
        columns={
            "id": Plain("key"),
            "message": Plain("link"),
            "name": Personal("support", "support", erase=_SHRED, export=_GIVEN, sealed=True),
            "media_type": Personal("support", "support"),
            "size": Plain("count"),
            "content": Personal("support", "support", erase=_SHRED, export=_GIVEN, sealed=True),
        },
    ),
}
