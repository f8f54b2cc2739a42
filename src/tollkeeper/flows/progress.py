"""How far a paid order is on its way to its customer, why it waits, and when its money goes back."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from tollkeeper.delivery import queries as delivery
from tollkeeper.kit import queries as jobs
from tollkeeper.sales.queries import OrderView

_NOT_KEPT = ("mismatch", "dead_key")


@dataclass(frozen=True, slots=True)
class Progress:
    """``reason``: empty, ``silent``, ``not_kept`` (made, and not as it was sold), ``stuck`` or ``failed``."""

    reason: str
    began_at: dt.datetime | None
    prepared_at: dt.datetime | None
    next_at: dt.datetime | None
    """When it is tried again."""
    back_at: dt.datetime | None
    """When its money goes back without being asked for, if it is not there by then."""


def of(order: OrderView) -> Progress:
    """Of all lines: the first that waits decides what is said."""
    rows = [row for line in order.lines if (row := delivery.find_delivery(line.line_id)) is not None]
    steps = {step.name: step.at for row in rows for step in row.steps}
    waiting = next((line for line in order.lines if line.delivered_at is None), None)
    row = next((row for row in rows if waiting is not None and row.line_id == waiting.line_id), None)
    reason = "" if row is None else _reason(row)
    return Progress(
        reason,
        steps.get("preparing"),
        steps.get("key ready"),
        _due(f"fulfil:{waiting.line_id}") if waiting is not None and reason != "failed" else None,
        _due(f"late:{waiting.line_id}") if waiting is not None else None,
    )


def _reason(row: delivery.DeliveryRow) -> str:
    if row.state == "failed":
        return "failed"
    if row.state != "running" or not row.error:
        return ""
    if row.error == delivery.NO_ANSWER:
        return "silent"
    return "not_kept" if row.error.startswith(_NOT_KEPT) else "stuck"


def _due(key: str) -> dt.datetime | None:
    work = jobs.find_job(key)
    return work.run_at if work is not None and work.state == "ready" else None
