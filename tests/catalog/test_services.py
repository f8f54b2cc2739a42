"""A shop's files come into effect once, and every change makes a version."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.catalog.shops import SMALL, write
from tollkeeper.catalog import queries, services
from tollkeeper.catalog.mistakes import BadShop
from tollkeeper.catalog.models import GateSnapshot, PlanVersion, ShopSnapshot
from tollkeeper.core.terms import MICRO, LimitTerms, decode_gate_terms, decode_line_terms, encode

pytestmark = pytest.mark.django_db


def counts() -> tuple[int, int, int]:
    return PlanVersion.objects.count(), ShopSnapshot.objects.count(), GateSnapshot.objects.count()


def test_loading_twice_writes_once(tmp_path: Path) -> None:
    first = services.load_shop(write(tmp_path, SMALL))
    assert first.changed
    assert counts() == (1, 1, 1)
    second = services.load_shop(tmp_path)
    assert not second.changed
    assert counts() == (1, 1, 1)
    assert (second.facts, second.gate_version) == (first.facts, first.gate_version)


def test_a_new_price_is_a_new_version_and_the_old_one_stays(tmp_path: Path) -> None:
    services.load_shop(write(tmp_path, SMALL))
    services.load_shop(write(tmp_path, SMALL.replace("9.90", "12.00")))
    assert counts() == (2, 2, 1), "the gates need not know of prices"
    assert queries.get_price("basic", "eur-month").amount_minor == 1200
    assert queries.get_plan("basic", version=1).price("eur-month").amount_minor == 990
    services.load_shop(write(tmp_path, SMALL))
    assert counts() == (2, 3, 1), "what was offered before keeps its version"
    assert queries.get_plan("basic").version == 1


def test_a_new_route_reaches_the_gates(tmp_path: Path) -> None:
    services.load_shop(write(tmp_path, SMALL))
    shop = services.load_shop(write(tmp_path, SMALL.replace("things", "wares")))
    assert shop.gate_version == 2
    assert counts() == (1, 1, 2)
    body = GateSnapshot.objects.latest("version").body
    terms = decode_gate_terms(body)
    assert (terms.version, terms.routes[0].path, terms.routes[0].cost) == (2, "/v1/wares/{id}", MICRO)
    assert terms.upstreams[0].url == "https://up.example/base"
    assert queries.gate_terms() == terms


def test_one_upstream_may_have_several_addresses_and_be_looked_after(tmp_path: Path) -> None:
    more = '''more = [{ url = "https://two.example/", weight = 0 }]
health = { path = "/healthz", interval = "10s", fails = 3 }
credential = "UP_KEY"'''
    services.load_shop(write(tmp_path, SMALL.replace('credential = "UP_KEY"', more)))
    first, second = queries.gate_terms().upstreams
    assert [(t.url, t.weight) for t in (first, second)] == [
        ("https://up.example/base", 1),
        ("https://two.example", 0),
    ]
    assert first.name == second.name == "main"
    for terms in (first, second):
        assert (terms.health_path, terms.health_interval_s) == ("/healthz", 10.0)
        assert (terms.health_fails, terms.health_passes) == (3, 2)
        assert terms.credential == "UP_KEY"


def test_bad_files_change_nothing(tmp_path: Path) -> None:
    services.load_shop(write(tmp_path, SMALL))
    with pytest.raises(BadShop):
        services.load_shop(write(tmp_path, SMALL.replace("9.90", "-1").replace("things", "wares")))
    assert counts() == (1, 1, 1)


def test_a_plan_that_is_no_longer_sold(tmp_path: Path) -> None:
    services.load_shop(write(tmp_path, SMALL))
    services.load_shop(write(tmp_path, SMALL.replace("[plans.basic]", "[plans.other]")))
    with pytest.raises(queries.NotOffered):
        queries.get_plan("basic")
    with pytest.raises(queries.NotOffered):
        queries.get_line_terms("basic", "eur-month")
    assert queries.get_plan("basic", version=1).name == "Basic"
    assert [plan.slug for plan in queries.list_plans()] == ["other"]


def test_what_a_line_freezes(tmp_path: Path) -> None:
    services.load_shop(write(tmp_path, SMALL))
    line = queries.get_line_terms("basic", "eur-month")
    assert decode_line_terms(encode(line)) == line
    assert (line.plan, line.provisioner, line.period, line.plan_version) == ("basic", "gate_key", "month", 1)
    assert line.key.limits == (LimitTerms("second", "requests", 5, 1),)
    (grant,) = line.grants
    assert (grant.unit, grant.amount, grant.per) == ("calls", 100 * MICRO, "period")
    with pytest.raises(queries.NotOffered):
        queries.get_line_terms("basic", "usd-month")


def test_words_in_another_language(tmp_path: Path) -> None:
    text = SMALL.replace('languages = ["en"]', 'languages = ["en", "de"]').replace(
        "[upstreams.main]",
        '[brand.words.de]\ntagline = "klein"\n[units.calls.words.de]\none = "Aufruf"\nmany = "Aufrufe"\n'
        '[plans.basic.words.de]\nname = "Grund"\nfeatures = ["alles"]\n[upstreams.main]',
    )
    services.load_shop(write(tmp_path, text))
    assert queries.list_plans("de")[0].name == "Grund"
    assert queries.current_shop("de").tagline == "klein"
    assert queries.current_shop("de").units["calls"].many == "Aufrufe"
    assert queries.current_shop("fr") == queries.current_shop()
    assert queries.list_plans("fr")[0].name == queries.list_plans()[0].name == "Basic"


def test_without_a_shop() -> None:
    with pytest.raises(queries.NoShop):
        queries.current_shop()
    with pytest.raises(queries.NoShop):
        queries.gate_terms()


def test_the_house_shop_comes_into_effect() -> None:
    shop = services.load_shop(Path(__file__).parents[2] / "shops" / "twtapi")
    assert [plan.kind for plan in queries.list_plans()] == ["free", "subscription", "subscription", "pack"]
    assert shop.facts.currencies == ("USD",)
    pack = queries.get_line_terms("pack-10k", "usd-once")
    assert (pack.period, pack.grants[0].lasts_days, pack.grants[0].amount) == (None, 365, 10_000 * MICRO)
    assert pack.grants[0].priority > queries.get_line_terms("pro", "usd-month").grants[0].priority
