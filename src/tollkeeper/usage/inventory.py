"""What the tables of units and calls hold. Their customers are bare numbers: the gates write them."""

from tollkeeper.core.personal import Export, Keep, Model, OnErasure, Personal, Plain

_PATH = "customer_id > accounts.Customer.owner"
_CALLED = Keep("calls", since="called_at")


def _call(*more: str) -> Personal:
    return Personal("usage.calls", "delivery", *more)


_ADDRESS = Personal("technical.ip", "security", sealed=True, export=Export.WITHHELD)
"""Where a call came from. Not in a copy: whose address it is, nobody knows before it is opened."""


def _quota(erase: OnErasure = OnErasure.KEEP) -> Personal:
    return Personal("usage.quota", "delivery", "order", erase=erase)


INVENTORY = {
    "usage.Grant": Model(
        path=_PATH,
        keep=Keep("ledger", since="created_at"),
        columns={
            "id": Plain("key"),
            "key": Plain("key: of the order line that gave it"),
            "customer_id": Plain("link"),
            "unit": Plain("config"),
            "amount": _quota(),
            "remaining": _quota(),
            "clawed": _quota(),
            "priority": Plain("config"),
            "effective_at": Plain("time"),
            "expires_at": Plain("time"),
            "voided_at": Plain("time"),
            "scope": Plain("config"),
            "source": _quota(),
            "renews": Plain("state"),
            "created_at": _quota(),
        },
    ),
    "usage.Balance": Model(
        path=_PATH,
        keep=Keep("account"),
        columns={
            "id": Plain("key"),
            "customer_id": Plain("link"),
            "unit": Plain("config"),
            "spendable": _quota(),
            "held": _quota(),
            "debt": _quota(),
            "overage": _quota(),
            "version": Plain("count"),
        },
    ),
    "usage.Txn": Model(
        path="nobody: when units moved; whose they are says each entry",
        columns={
            "id": Plain("key"),
            "key": Plain("key"),
            "kind": Plain("config"),
            "ref": Plain("key"),
            "booked_at": Plain("time"),
        },
    ),
    "usage.Entry": Model(
        path=_PATH,
        keep=Keep("ledger", since="txn.booked_at"),
        columns={
            "id": Plain("key"),
            "txn": Plain("link"),
            "customer_id": Plain("link"),
            "account": Plain("key: account of the ledger"),
            "unit": Plain("config"),
            "amount": _quota(),
        },
    ),
    "usage.Lease": Model(
        path=_PATH,
        keep=Keep("calls", since="drawn_at"),
        columns={
            "id": Plain("key"),
            "gate_id": Plain("config"),
            "customer_id": Plain("link"),
            "unit": Plain("config"),
            "amount": _quota(),
            "settled": _quota(),
            "state": Plain("state"),
            "sources": Plain("key: grants and amounts"),
            "drawn_at": Plain("time"),
            "expires_at": Plain("time"),
        },
    ),
    "usage.Admission": Model(
        path=_PATH,
        keep=Keep("calls", since="admitted_at"),
        columns={
            "request_id": _call(),
            "gate_id": Plain("config"),
            "key_id": Plain("link"),
            "customer_id": Plain("link"),
            "unit": Plain("config"),
            "route": _call(),
            "method": _call(),
            "parts": Plain("key: leases and amounts", keys=("*",)),
            "sealed_address": _ADDRESS,
            "admitted_at": _call(),
        },
    ),
    "usage.Cursor": Model(
        path="nobody: how far journals are read",
        columns={
            "id": Plain("key"),
            "gate_id": Plain("config"),
            "segment": Plain("config"),
            "offset": Plain("count"),
            "moved_at": Plain("time"),
        },
    ),
    "usage.Call": Model(
        path=_PATH,
        keep=_CALLED,
        columns={
            "id": Plain("key"),
            "request_id": _call("support"),
            "gate_id": Plain("config"),
            "key_id": Plain("link"),
            "customer_id": Plain("link"),
            "route": _call("security"),
            "method": _call(),
            "status": _call("support"),
            "outcome": _call("support"),
            "unit": Plain("config"),
            "units": _call(),
            "unpaid": _call(),
            "estimated": _call(),
            "model": _call(),
            "tokens_in": _call(),
            "tokens_out": _call(),
            "bytes_in": _call(),
            "bytes_out": _call(),
            "latency_us": _call("support"),
            "sealed_address": _ADDRESS,
            "called_at": _call("security"),
        },
    ),
    "usage.Day": Model(
        path=_PATH,
        keep=Keep("usage", since="day"),
        columns={
            "id": Plain("key"),
            "customer_id": Plain("link"),
            "day": _call(),
            "key_id": Plain("link"),
            "route": _call(),
            "unit": Plain("config"),
            "ok": _call(),
            "client_errors": _call(),
            "server_errors": _call(),
            "units": _call(),
            "bytes_out": _call(),
            "latency_us": _call(),
        },
    ),
    "usage.Stray": Model(
        path="nobody: records that could not be booked, by their place in a journal",
        columns={
            "id": Plain("key"),
            "gate_id": Plain("config"),
            "segment": Plain("config"),
            "position": Plain("count"),
            "reason": Plain("config"),
            "seen_at": Plain("time"),
        },
    ),
    "usage.Alert": Model(
        path=_PATH,
        keep=Keep("calls", since="raised_at"),
        columns={
            "id": Plain("key"),
            "customer_id": Plain("link"),
            "unit": Plain("config"),
            "kind": Personal("usage.quota", "delivery"),
            "basis": Plain("link"),
            "raised_at": Personal("usage.quota", "delivery"),
        },
    ),
    "usage.CodeBatch": Model(
        path="nobody: what the codes of a batch give",
        columns={
            "id": Plain("key"),
            "label": Plain("text of ours"),
            "unit": Plain("config"),
            "amount": Plain("amount"),
            "priority": Plain("config"),
            "lasts_days": Plain("config"),
            "ends_at": Plain("time"),
            "once_per_customer": Plain("config"),
            "created_at": Plain("time"),
        },
    ),
    "usage.Code": Model(
        path=_PATH,
        keep=Keep("ledger", since="redeemed_at"),
        columns={
            "id": Plain("key"),
            "batch": Plain("link"),
            "digest": Plain("keyed hash of a code that we made"),
            "customer_id": Plain("link"),
            "redeemed_at": _quota(),
            "cancelled_at": Plain("time"),
        },
    ),
}
