"""What the tables of hand-over hold."""

from tollkeeper.core.personal import Export, Keep, Model, OnErasure, Personal, Plain

_KEY = Keep("key")
_ORDER = Keep("order", since="created_at")


def _key(erase: OnErasure = OnErasure.DELETE, export: Export = Export.OBSERVED) -> Personal:
    return Personal("key", "delivery", erase=erase, export=export)


INVENTORY = {
    "delivery.Key": Model(
        path="customer.owner",
        keep=_KEY,
        columns={
            "id": Plain("key"),
            "customer": Plain("link"),
            "name": Personal(
                "key", "delivery", "security", erase=OnErasure.SHRED, export=Export.PROVIDED, sealed=True
            ),
            "prefix_hint": _key(),
            "digest": _key(export=Export.WITHHELD),
            "unit": Plain("config"),
            "test": Plain("state"),
            "terms": Plain("config: what the key may do"),
            "own": _key(export=Export.PROVIDED),
            "state": Plain("state"),
            "replaces": Plain("link"),
            "created_at": _key(),
            "expires_at": Plain("time"),
            "revoked_at": Plain("time"),
            "last_used_on": Personal("key", "delivery", "security"),
        },
    ),
    "delivery.Suspension": Model(
        path="customer.owner",
        keep=_KEY,
        columns={
            "id": Plain("key"),
            "customer": Plain("link"),
            "key": Plain("link"),
            "reason": Personal("key", "delivery", "security"),
            "created_at": Plain("time"),
        },
    ),
    "delivery.KeyEntry": Model(
        path="key.customer.owner",
        keep=_KEY,
        columns={
            "key": Plain("link"),
            "digest": _key(OnErasure.KEEP, Export.WITHHELD),
            "customer_id": Plain("link"),
            "tenant": Personal("account.id", "delivery", erase=OnErasure.PSEUDONYM),
            "state": Plain("state"),
            "reason": _key(OnErasure.KEEP),
            "terms": _key(OnErasure.KEEP),
            "expires_at": Plain("time"),
            "version": Plain("count"),
        },
        note="The revoked entry stays without a person, so that every gate learns of it.",
    ),
    "delivery.Feed": Model(
        path="nobody: one counter", columns={"id": Plain("key"), "version": Plain("count")}
    ),
    "delivery.Delivery": Model(
        path="customer.owner",
        keep=_ORDER,
        columns={
            "id": Plain("key"),
            "line_id": Plain("link"),
            "customer": Plain("link"),
            "provisioner": Plain("config"),
            "alias": Plain("key: a label without personal data"),
            "plan": Plain("config"),
            "unit": Plain("config"),
            "terms": Plain("config"),
            "state": Plain("state"),
            "key": Plain("link"),
            "sealed_secret": Personal(
                "key", "delivery", erase=OnErasure.SHRED, export=Export.WITHHELD, sealed=True
            ),
            "revealed_at": _key(),
            "error": Plain("class of an error"),
            "created_at": Personal("order", "order", "delivery"),
            "delivered_at": Personal("order", "order", "delivery"),
            "ends_at": Plain("time"),
            "ended": Plain("state"),
            "stopped_at": Plain("time"),
            "target": Plain("config"),
            "label": Plain("key: an opaque name at the relay"),
            "handle": Plain("key: id at the relay"),
            "hint": _key(),
            "paused": Plain("state"),
            "digest": _key(export=Export.WITHHELD),
            "attempt": Plain("count"),
            "sealed_choice": Personal(
                "key", "delivery", erase=OnErasure.SHRED, export=Export.WITHHELD, sealed=True
            ),
            "units": Plain("amount"),
            "cap": Plain("amount"),
            "wanted": Plain("count"),
            "aligned": Plain("count"),
        },
    ),
    "delivery.DeliveryStep": Model(
        path="delivery.customer.owner",
        keep=Keep("order", since="at"),
        columns={
            "id": Plain("key"),
            "delivery": Plain("link"),
            "name": Plain("config"),
            "at": Personal("order", "delivery"),
        },
    ),
    "delivery.CapCut": Model(
        path="delivery.customer.owner",
        keep=_ORDER,
        columns={
            "id": Plain("key"),
            "delivery": Plain("link"),
            "claim": Plain("key: names a refund or a dispute"),
            "units": Plain("amount"),
            "undone": Plain("state"),
        },
    ),
    "delivery.Snapshot": Model(
        path="delivery.customer.owner",
        keep=Keep("usage", since="as_of"),
        columns={
            "id": Plain("key"),
            "delivery": Plain("link"),
            "attempt": Plain("count"),
            "as_of": Personal("usage.quota", "delivery"),
            "enabled": Plain("state"),
            "cap": Plain("amount"),
            "used": Personal("usage.quota", "delivery"),
            "window": Plain("config"),
            "resets_at": Plain("time"),
            "ends_at": Plain("time"),
            "delay_s": Plain("count"),
            "odd": Plain("state"),
        },
    ),
    "delivery.StoppedPlan": Model(
        path="nobody: a plan that an operator has stopped, for everybody",
        columns={
            "plan": Plain("config"),
            "reason": Plain("text of ours, to all customers of the plan"),
            "since": Plain("time"),
        },
    ),
    "delivery.TargetState": Model(
        path="nobody: what a probe found at a relay",
        columns={
            "name": Plain("config"),
            "probed_at": Plain("time"),
            "open": Plain("state"),
            "reason": Plain("state"),
            "version": Plain("config"),
            "unit": Plain("config"),
            "keeps": Plain("config"),
            "skew_s": Plain("count"),
            "wallet": Plain("amount"),
            "promised": Plain("amount"),
            "stopped": Plain("state"),
        },
    ),
}
