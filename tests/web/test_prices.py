"""The price book for programs says what the pages and the gates say."""

from __future__ import annotations

import pytest
from django.test import Client

from tollkeeper.catalog import queries, services
from tollkeeper.config import environment

pytestmark = pytest.mark.django_db


def test_it_holds_what_is_sold_and_what_calls_cost() -> None:
    services.load_shop(environment.repository() / "shops" / "gettoken")
    answer = Client().get("/docs/prices.json", headers={"Accept-Language": "en"})
    assert answer["Access-Control-Allow-Origin"] == "*"
    book = answer.json()
    assert book["shop"] == "gettoken"
    assert book["version"] == queries.gate_terms().version
    heron = next(model for model in book["models"] if model["model"] == "heron-1")
    assert (heron["input"], heron["output"], heron["cache_read"]) == (3_600_000, 18_000_000, 360_000)
    embed = next(model for model in book["models"] if model["model"] == "wren-embed-1")
    assert embed["cache_read"] == embed["input"]
    plans = {plan["plan"]: plan for plan in book["plans"]}
    assert {name: plan["works_at"] for name, plan in plans.items() if name in ("plus", "relay-10")} == {
        "plus": "gate",
        "relay-10": "relay",
    }
    pack = plans["pack-10"]
    assert pack["refund_unspent_s"] == 14 * 86_400
    assert pack["grants"] == [{"unit": "credits", "micro": 10_000_000, "per": "once", "lasts_days": 365}]
    usd = next(price for price in pack["prices"] if price["currency"] == "USD")
    assert usd["amount_minor"] == 1000
    assert Client().get(usd["url"]).status_code == 302, "leads strangers to sign-up"


def test_it_speaks_the_readers_language() -> None:
    services.load_shop(environment.repository() / "shops" / "gettoken")
    book = Client().get("/docs/prices.json", headers={"Accept-Language": "zh-Hans"}).json()
    assert next(plan for plan in book["plans"] if plan["plan"] == "plus")["name"] == "进阶"


def test_it_is_read_only() -> None:
    assert Client().post("/docs/prices.json").status_code == 405
