"""What the tables of people and customers hold."""

from tollkeeper.accounts import inventory_foreign
from tollkeeper.core.personal import Export, Keep, Model, OnErasure, Personal, Plain

_ACCOUNT = Keep("account")

INVENTORY = {
    "accounts.User": Model(
        path="self",
        keep=_ACCOUNT,
        columns={
            "id": Personal("account.id", "auth", "order", "delivery"),
            "password": Personal("account.password", "auth", export=Export.WITHHELD),
            "last_login": Personal("technical.times", "security"),
            "is_superuser": Plain("role"),
            "is_staff": Plain("role"),
            "is_active": Personal("account.settings", "auth"),
            "language": Personal("account.settings", "notice", export=Export.PROVIDED),
            "nickname": Personal(
                "account.nickname",
                "auth",
                erase=OnErasure.SHRED,
                export=Export.PROVIDED,
                sealed=True,
            ),
            "created_at": Personal("account.settings", "auth"),
        },
    ),
    "accounts.User_groups": Model(
        path="user",
        keep=_ACCOUNT,
        columns={"id": Plain("key"), "user": Plain("link"), "group": Personal("account.settings", "auth")},
    ),
    "accounts.User_user_permissions": Model(
        path="user",
        keep=_ACCOUNT,
        columns={
            "id": Plain("key"),
            "user": Plain("link"),
            "permission": Personal("account.settings", "auth"),
        },
    ),
    "accounts.Customer": Model(
        path="owner",
        keep=_ACCOUNT,
        columns={
            "id": Plain("key"),
            "public_id": Personal("account.id", "order", "delivery", erase=OnErasure.PSEUDONYM),
            "owner": Plain("link"),
            "created_at": Personal("account.settings", "auth", erase=OnErasure.KEEP),
        },
        note="The row stays without its owner, so that orders and sums hang together.",
    ),
    "accounts.CacheEntry": Model(
        path="detached: names are keyed hashes and values counts; gone after minutes",
        keep=Keep("session", since="expires"),
        columns={
            "cache_key": Plain("keyed hash"),
            "value": Personal("technical.times", "security", export=Export.WITHHELD),
            "expires": Plain("time"),
        },
    ),
    **inventory_foreign.INVENTORY,
}
TABLES = inventory_foreign.TABLES
