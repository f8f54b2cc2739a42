"""Rows of the call log, written by the database itself."""

from __future__ import annotations

import uuid

from django.db import connection
from django.utils import timezone

from tollkeeper.kit.fields import to_micros
from tollkeeper.usage.models import Call


def fill(customer: int, count: int) -> None:
    """Write ``count`` calls of a customer, the newest from now, a microsecond apart."""
    names = [field.column for field in Call._meta.concrete_fields if field.name != "id"]
    values = {
        "request_id": "'req_' || ? || '_' || n", "gate_id": "'g'", "key_id": "1", "customer_id": "?",
        "route": "'posts'", "method": "'GET'", "unit": "'calls'", "model": "''", "called_at": "? - n",
        "estimated": "0",
    }  # fmt: skip
    chosen = ", ".join(values.get(name, "1") for name in names)
    order = [name for name in names if name in ("request_id", "customer_id", "called_at")]
    given = {"request_id": uuid.uuid4().hex, "customer_id": customer, "called_at": to_micros(timezone.now())}
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {count}) "
            f"INSERT INTO usage_call ({', '.join(names)}) SELECT {chosen} FROM c".replace("?", "%s"),
            [given[name] for name in order],
        )
