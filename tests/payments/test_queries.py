"""What every worker asks all the time goes by an index, in whatever book."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tollkeeper.kit.literals import Literal, literals
from tollkeeper.payments import queries
from tollkeeper.sales import queries as sales

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def plans(captured: CaptureQueriesContext) -> list[str]:
    """How SQLite would run what was asked."""
    found = []
    with connection.cursor() as cursor:
        for query in captured.captured_queries:
            cursor.execute("EXPLAIN QUERY PLAN " + query["sql"])
            found += [row[3] for row in cursor.fetchall()]
    return found


@pytest.mark.parametrize(
    "ask", ["stale_orders", "unfinished_events", "providers_in_use", "expiring_orders", "order_of"]
)
def test_what_is_asked_all_the_time_scans_no_table(ask: str) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("EXPLAIN reads otherwise there, and an empty table is scanned for good reason")
    now = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # a planner that knows how small a table is may begin with another
    with CaptureQueriesContext(connection) as captured:
        if ask == "providers_in_use":
            queries.providers_in_use()
        elif ask == "expiring_orders":
            sales.expiring_orders(now)
        elif ask == "order_of":
            queries.order_of("stripe", number="TK-1", reference="cs_1", payment="pi_1")
        else:
            getattr(queries, ask)(now - DAY)
    steps = plans(captured)
    assert steps
    assert [step for step in steps if step.startswith("SCAN") and "USING" not in step] == []
    wanted = {
        "stale_orders": {"attempt_open", "refund_open"},
        "unfinished_events": {"inbox_unfinished"},
        "providers_in_use": {"COVERING"},
        "expiring_orders": {"order_expiring"},
        "order_of": {"attempt_payment", "attempt_reference"},
    }[ask]
    assert wanted <= {word for step in steps for word in step.split()}


@pytest.mark.parametrize("word", ["x'y", "", "A", "1"])
def test_only_words_of_the_source_are_written_into_sql(word: str) -> None:
    with pytest.raises(ValueError, match="no word"):
        Literal(word)
    assert [one.value for one in literals(["a", "b"])] == ["a", "b"]
