"""What is looked at to improve the shop: tables of counts that nobody stands out of.

The windows are whole calendar months, so that two of them never overlap and cannot be
subtracted from each other. Who objected to improvement is not counted.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from dataclasses import dataclass

from tollkeeper.accounts import queries as accounts
from tollkeeper.core.aggregates import Table, tabulate
from tollkeeper.kit import log_lines
from tollkeeper.privacy import choices, policy_queries
from tollkeeper.usage import queries as usage

PURPOSE = "improve"


@dataclass(frozen=True, slots=True)
class Month:
    """Calls of one calendar month by route and outcome; ``left_out`` customers objected."""

    first: dt.date
    last: dt.date
    table: Table
    left_out: int


def last_month(today: dt.date) -> tuple[dt.date, dt.date]:
    """First and last day of the calendar month before ``today``."""
    last = today.replace(day=1) - dt.timedelta(days=1)
    return last.replace(day=1), last


def of_month(first: dt.date, last: dt.date) -> Month:
    """The table of a month, with the policy's threshold."""
    facts = usage.calls_by_outcome(first, last)
    asked = {customer: _may(customer) for customer in {fact[2] for fact in facts}}
    k = policy_queries.get_current().policy.use.k
    counted = [fact for fact in facts if asked[fact[2]]]
    return Month(first, last, tabulate(counted, k), sum(not may for may in asked.values()))


def _may(customer_id: int) -> bool:
    owner = accounts.get_customer(customer_id).owner_id
    return owner is None or choices.may(owner, PURPOSE)


def pages(day: dt.date) -> dict[str, int]:
    """How often each page was asked for on one day, from the access log; what is rare is left out.

    The log's lines know no person and no session, so a figure is of requests, never of people.
    """
    k = policy_queries.get_current().policy.use.k
    found: Counter[str] = Counter()
    for path, name, of in log_lines.files():
        if name == log_lines.ACCESS_FILE and of == day:
            with path.open() as file:
                found.update(json.loads(line)["page"] or "(none)" for line in file)
    return {page: number for page, number in found.most_common() if number >= k}
