"""Rows of the call log, written by the database itself."""

from __future__ import annotations

import datetime as dt
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
        "estimated": "false", "sealed_address": "NULL",
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


def fill_days(customer: int, count: int, first: dt.datetime, days: int) -> None:
    """Write ``count`` calls with sealed addresses, spread evenly over ``days`` days from ``first`` on."""
    names = [field.column for field in Call._meta.concrete_fields if field.name != "id"]
    blob = "decode(repeat('a7', 72), 'hex')" if connection.vendor == "postgresql" else "zeroblob(72)"
    each, day_us = max(1, count // days), 86_400_000_000
    start = to_micros(first) // day_us * day_us
    run = uuid.uuid4().hex[:12]
    for day in range(days):
        values = {
            "request_id": f"'req_{run}{day:02d}' || n", "gate_id": "'gate-1'", "key_id": "n % 7",
            "customer_id": f"{customer} + n % 1000", "route": "'posts'", "method": "'GET'", "status": "200",
            "unit": "'calls'", "model": "''", "estimated": "false", "sealed_address": blob,
            "called_at": f"{start + day * day_us} + n * {day_us // (each + 1)}",
        }  # fmt: skip
        series = (
            f"generate_series(1::bigint, {each}) n"
            if connection.vendor == "postgresql"
            else f"(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {each})"
            " SELECT n FROM c)"
        )
        chosen = ", ".join(values.get(name, "1") for name in names)
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO usage_call ({', '.join(names)}) SELECT {chosen} FROM {series}")
