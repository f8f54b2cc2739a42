"""What the tables of Django and allauth hold, and the tables that no model describes."""

from tollkeeper.core.personal import Export, Keep, Model, OnErasure, Personal, Plain, Table

_SHRED = OnErasure.SHRED
_GIVEN = Export.PROVIDED
_SECRET = Export.WITHHELD

INVENTORY = {
    "account.EmailAddress": Model(
        path="user",
        keep=Keep("account"),
        columns={
            "id": Plain("key"),
            "user": Plain("link"),
            "email": Personal(
                "account.email",
                "auth",
                "order",
                "notice",
                "support",
                erase=_SHRED,
                export=_GIVEN,
                sealed=True,
            ),
            "verified": Personal("account.email", "auth"),
            "primary": Personal("account.email", "auth"),
        },
    ),
    "account.EmailConfirmation": Model(
        path="email_address.user",
        keep=Keep("session", since="created"),
        columns={
            "id": Plain("key"),
            "email_address": Plain("link"),
            "created": Personal("account.session", "auth"),
            "sent": Personal("account.session", "auth"),
            "key": Personal("account.session", "auth", export=_SECRET),
        },
        note="Stays empty: addresses are confirmed by a code kept in the sealed session.",
    ),
    "mfa.Authenticator": Model(
        path="user",
        keep=Keep("account"),
        columns={
            "id": Plain("key"),
            "user": Plain("link"),
            "type": Personal("account.factors", "auth", "security"),
            "data": Personal(
                "account.factors",
                "auth",
                "security",
                erase=_SHRED,
                export=_SECRET,
                sealed=True,
                keys=("secret", "seed", "used_mask", "migrated_codes", "credential", "name", "passwordless"),
            ),
            "created_at": Personal("technical.times", "security"),
            "last_used_at": Personal("technical.times", "security"),
        },
    ),
    "usersessions.UserSession": Model(
        path="user",
        keep=Keep("session", since="last_seen_at"),
        columns={
            "id": Plain("key"),
            "user": Plain("link"),
            "created_at": Personal("technical.times", "security"),
            "last_seen_at": Personal("technical.times", "security"),
            "ip": Personal("technical.ip", "security", erase=_SHRED, sealed=True),
            "user_agent": Personal("technical.agent", "security", erase=_SHRED, sealed=True),
            "session_key": Personal("account.session", "auth", erase=_SHRED, export=_SECRET, sealed=True),
            "data": Plain("config: unused, always empty", keys=("*",)),
        },
    ),
    "sessions.Session": Model(
        path="detached: only the cookie's holder can read a session, so rows cannot be led back",
        keep=Keep("session", since="expire_date"),
        columns={
            "session_key": Plain("keyed hash of the session's id"),
            "session_data": Personal("account.session", "auth", export=_SECRET),
            "expire_date": Plain("time"),
        },
        note="Sealed under a key that is derived from the cookie; ended by way of UserSession.",
    ),
    "auth.Permission": Model(
        path="nobody: names of permissions",
        columns={
            "id": Plain("key"),
            "name": Plain("config"),
            "content_type": Plain("link"),
            "codename": Plain("config"),
        },
    ),
    "auth.Group": Model(
        path="nobody: names of roles", columns={"id": Plain("key"), "name": Plain("config: name of a role")}
    ),
    "auth.Group_permissions": Model(
        path="nobody: what a role may do",
        columns={"id": Plain("key"), "group": Plain("link"), "permission": Plain("link")},
    ),
    "contenttypes.ContentType": Model(
        path="nobody: names of models",
        columns={"id": Plain("key"), "app_label": Plain("config"), "model": Plain("config")},
    ),
}

TABLES = {
    "django_migrations": Table(("id", "app", "name", "applied"), "which migrations ran"),
}
