"""What the catalog stores: the operator's own words and prices, nothing about people who buy."""

from tollkeeper.core.personal import Model, Plain

_SNAPSHOT = {
    "version": Plain("key"),
    "content_hash": Plain("config"),
    "body": Plain("config"),
    "created_at": Plain("time"),
}

INVENTORY = {
    "catalog.PlanVersion": Model(
        path="nobody: the shop's own offer",
        columns={
            "id": Plain("key"),
            "slug": Plain("config"),
            "version": Plain("key"),
            "content_hash": Plain("config"),
            "terms": Plain("config"),
            "created_at": Plain("time"),
        },
    ),
    "catalog.Withheld": Model(
        path="nobody: the operator's switch of a plan",
        columns={"slug": Plain("config"), "since": Plain("time")},
    ),
    "catalog.ShopSnapshot": Model(path="nobody: the shop's own offer", columns=_SNAPSHOT),
    "catalog.GateSnapshot": Model(path="nobody: the shop's own routes", columns=_SNAPSHOT),
}
