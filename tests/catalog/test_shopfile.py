"""Every mistake of a shop's files is found, at its line, with what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.catalog.shops import KNOWN, SMALL, mistakes, write
from tollkeeper.catalog import shopfile
from tollkeeper.catalog.mistakes import BadShop

PLAN = 'prices = [{ currency = "EUR", amount = "9.90", period = "month" }]'
GRANT = 'grants = [{ unit = "calls", amount = 100, per = "period" }]'
LIMIT = 'limits = [{ name = "second", amount = 5, window = "1s" }]'
ROUTE = '[[routes]]\nname = "one"\npath = "/v1/things/{id}"\nupstream = "main"'

SPOILT = [
    # what stands there, what is put instead, path, line, words of the message
    ('currency = "EUR"\nlanguages', 'currency = "eur"\nlanguages', "currency", 2, "no currency"),
    (
        'currency = "EUR"\nlanguages',
        'currency = "USD"\nlanguages',
        "currency",
        2,
        "no plan has a price in USD",
    ),
    ('legal_name = "Small GmbH"\n', "", "seller.legal_name", 6, "is missing"),
    ('name = "Small"\n', 'name = "Small"\ncolour = "red"\n', "brand.colour", 6, "is not known"),
    ('name = "Small"\n', 'name = "Small"\naccent = "red"\n', "brand.accent", 6, "should match"),
    ('email = "help@small.example"', 'email = "help"', "support.email", 12, "no e-mail address"),
    ('kind = "subscription"', 'kind = "rental"', "plans.basic.kind", 17, "'rental' is not allowed"),
    ('amount = "9.90"', "amount = 9.90", "plans.basic.prices[0].amount", 20, "not exact"),
    ('amount = "9.90"', "amount = 990", "plans.basic.prices[0].amount", 20, "major or minor"),
    ('amount = "9.90"', 'amount = "-9.90"', "plans.basic.prices[0].amount", 20, "negative"),
    ('amount = "9.90"', 'amount = "9.901"', "plans.basic.prices[0].amount", 20, "finer than EUR"),
    ('amount = "9.90"', 'amount = "NaN"', "plans.basic.prices[0].amount", 20, "no amount"),
    ('amount = "9.90"', 'amount = "0.00"', "plans.basic.prices[0].amount", 20, "costs nothing"),
    (
        'amount = "9.90", period = "month"',
        'amount = "9.90"',
        "plans.basic.prices[0]",
        20,
        "must renew every month",
    ),
    ('period = "month"\nprices', "prices", "plans.basic", 16, "needs a period"),
    (
        'period = "month"\nprices',
        'period = "month"\nrefund_unspent = "14d"\nprices',
        "plans.basic.refund_unspent",
        20,
        "only a pack",
    ),
    (
        PLAN,
        PLAN.replace('"month"', '"year"') + '\nprovisioner = "relay"',
        "plans.basic.prices[0].period",
        20,
        "need our own gate",
    ),
    ("amount = 100", "amount = -100", "plans.basic.grants[0].amount", 21, "negative"),
    ("amount = 100", "amount = 0", "plans.basic.grants[0].amount", 21, "grants nothing"),
    ("amount = 100", 'amount = "0.0000001"', "plans.basic.grants[0].amount", 21, "micro-unit"),
    ('unit = "calls", amount', 'unit = "cals", amount', "plans.basic.grants[0].unit", 21, "no unit 'cals'"),
    (GRANT, "", "plans.basic", 16, "gives no units"),
    (GRANT, GRANT + "\ntrial = { days = 0 }", "plans.basic.trial.days", 22, "1"),
    (GRANT, GRANT + "\ntrial = { days = 7, units = 0 }", "plans.basic.trial.units", 22, "without units"),
    (
        GRANT,
        GRANT.replace("period", "once") + "\ntrial = { days = 7 }",
        "plans.basic.trial",
        22,
        "given once",
    ),
    (
        'kind = "subscription"',
        'kind = "pack"\ntrial = { days = 7 }',
        "plans.basic.trial",
        18,
        "cannot be tried",
    ),
    ('per = "period"', 'per = "period", lasts = "30d"', "plans.basic.grants[0].lasts", 21, "ends with it"),
    ('per = "period"', 'lasts = "5h"', "plans.basic.grants[0].lasts", 21, "whole days"),
    ('window = "1s"', 'window = "1 second"', "plans.basic.limits[0].window", 22, "no span of time"),
    ('window = "1s"', 'window = "0s"', "plans.basic.limits[0].window", 22, "no span of time"),
    ("amount = 5", "amount = 0", "plans.basic.limits[0].amount", 22, "greater than 0"),
    ("amount = 5", "amount = true", "plans.basic.limits[0].amount", 22, "must be a whole number, not True"),
    (
        LIMIT,
        LIMIT.replace("amount", 'unit = "tokens", amount'),
        "plans.basic.limits[0]",
        22,
        "no route of this plan counts any",
    ),
    (LIMIT, 'provisioner = "fax"', "plans.basic.provisioner", 22, "no provisioner 'fax'"),
    (LIMIT, 'target = "there"', "plans.basic.target", 22, "needs no target"),
    (LIMIT, 'routes = ["two"]', "plans.basic.routes[0]", 22, "no route 'two'"),
    (LIMIT, 'scopes = ["write"]', "plans.basic.scopes[0]", 22, "no scope 'write'"),
    (LIMIT, '[plans.basic.words.de]\nname = "B"', "plans.basic.words.de", 22, "no other language 'de'"),
    ('languages = ["en"]', 'languages = ["en", "de"]', "plans.basic", 16, "has no words in de"),
    ('languages = ["en"]', 'languages = ["en", "en"]', "languages[1]", 3, "twice"),
    ('url = "https://up.example/base/"', 'url = "up.example"', "upstreams.main.url", 24, "no address"),
    (
        'url = "https://up.example/base/"',
        'url = "https://key@up.example"',
        "upstreams.main.url",
        24,
        "no address",
    ),
    (
        'credential = "UP_KEY"',
        'credential = "sk-123"',
        "upstreams.main.credential",
        25,
        "NAME of an environment",
    ),
    ('path = "/v1/things/{id}"', 'path = "v1/things"', "routes[0].path", 28, "no path"),
    ('path = "/v1/things/{id}"', 'path = "/v1/{rest...}/x"', "routes[0].path", 28, "rest of the path"),
    ('path = "/v1/things/{id}"', 'path = "/v1/a{id}"', "routes[0].path", 28, "no placeholder"),
    ('upstream = "main"', 'upstream = "mian"', "routes[0].upstream", 29, "no upstream 'mian'"),
    ('upstream = "main"', 'upstream = "main"\nmeter = "miles"', "routes[0].meter", 30, "no meter 'miles'"),
    (
        'upstream = "main"',
        'upstream = "main"\nmethods = ["get"]',
        "routes[0].methods",
        30,
        "'get' is no method",
    ),
    (
        'providers = ["stripe"]',
        'providers = ["strip"]',
        "payments.providers[0]",
        31,
        "no payment provider 'strip'",
    ),
    ('providers = ["stripe"]', "providers = []", "payments.providers", 31, "at least 1"),
    (
        'kind = "subscription"',
        'kind = "subscription"\nmodels = ["m"]',
        "plans.basic.models[0]",
        18,
        "no model 'm'",
    ),
    (
        'upstream = "main"',
        'upstream = "main"\nmeter = "tokens"',
        "routes[0].meter",
        30,
        "tokens have no prices",
    ),
    ("[payments]", '[tax]\nmode = "inclusive"\n[payments]', "tax.mode", 31, "without rates"),
    ("[payments]", '[tax]\nrates = { DE = "19" }\n[payments]', "tax.rates", 31, "rates without a tax"),
    ("[payments]", f"{ROUTE.replace('one', 'two')}\n[payments]", "routes[1]", 30, "never reached"),
    ("[payments]", f"{ROUTE.replace('things', 'others')}\n[payments]", "routes[1]", 30, "twice"),
    (
        "[payments]",
        '[upstreams.spare]\nurl = "https://b.example"\n[payments]',
        "upstreams.spare",
        30,
        "no route leads",
    ),
]


@pytest.mark.parametrize(("old", "new", "path", "line", "words"), SPOILT)
def test_a_mistake_is_found_where_it_is(
    tmp_path: Path, old: str, new: str, path: str, line: int, words: str
) -> None:
    assert SMALL.count(old) == 1, "the test spoils one place"
    found = mistakes(tmp_path, SMALL.replace(old, new))
    mine = [mistake for mistake in found if mistake.path == path]
    assert mine, [str(mistake) for mistake in found]
    assert words in mine[0].message
    assert mine[0].line == line
    assert mine[0].remedy, "says what to do"


def test_the_small_shop_is_right(tmp_path: Path) -> None:
    assert mistakes(tmp_path, SMALL) == ()


def test_overlapping_prices(tmp_path: Path) -> None:
    twice = '{ currency = "EUR", amount = "9.90", period = "month" }'
    other = twice.replace("9.90", "8.00")
    (found,) = mistakes(tmp_path, SMALL.replace(f"[{twice}]", f"[\n  {twice},\n  {other},\n]"))
    assert (found.path, found.line) == ("plans.basic.prices[1]", 22)
    assert "overlaps prices[0]" in found.message


def test_all_mistakes_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    spoilt = (
        SMALL.replace('"9.90"', '"-1"').replace('name = "Small"\n', "").replace('"/v1/things/{id}"', '"x"')
    )
    found = mistakes(tmp_path, spoilt)
    assert [mistake.path for mistake in found] == [
        "brand.name",
        "plans.basic.prices[0].amount",
        "routes[0].path",
    ]


def test_a_secret_in_the_file_is_not_printed(tmp_path: Path) -> None:
    (found,) = mistakes(tmp_path, SMALL.replace('"UP_KEY"', '"sk-very-secret"'))
    assert "sk-very-secret" not in str(found)
    assert "change it" in found.remedy


@pytest.mark.parametrize(
    ("text", "words"),
    [('name = "x', "is no TOML"), ("a = 1\na = 2", "is no TOML"), ("[a\n", "is no TOML")],
)
def test_text_that_is_no_toml(tmp_path: Path, text: str, words: str) -> None:
    (found,) = mistakes(tmp_path, text)
    assert words in found.message
    assert found.line


def test_no_file_and_no_utf8(tmp_path: Path) -> None:
    with pytest.raises(BadShop, match="is not there"):
        shopfile.read_shop(tmp_path / "nowhere", KNOWN)
    (tmp_path / "shop.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadShop, match="cannot be read"):
        shopfile.read_shop(tmp_path, KNOWN)


API = "openapi: 3.1.0\npaths:\n  /v1/things/{key}:\n    get: {}\n"


RELAY = """
[targets.east]
provisioner = "relay"
url = "https://relay.example"
credential = "EAST_KEY"
resale_allowed = true
sample = "litellm"
"""
RESOLD = LIMIT + '\nprovisioner = "relay"\ntarget = "east"'


@pytest.mark.parametrize(
    ("plan", "relay", "path", "words"),
    [
        (RESOLD, "", "plans.basic.target", "no target 'east'"),
        (
            RESOLD,
            RELAY.replace("resale_allowed = true", ""),
            "plans.basic.target",
            "not known to allow resale",
        ),
        (RESOLD, RELAY.replace('"relay"', '"gate_key"'), "plans.basic.target", "belongs to gate_key"),
        (RESOLD, RELAY.replace('"relay"', '"fax"'), "targets.east.provisioner", "no provisioner 'fax'"),
        (
            RESOLD,
            RELAY.replace("[targets.east]", "[targets.main]"),
            "targets.main",
            "an upstream has this name",
        ),
        (LIMIT, RELAY, "targets.east", "no plan delivers"),
        (
            RESOLD,
            RELAY.replace('"EAST_KEY"', '"sk-123"'),
            "targets.east.credential",
            "NAME of an environment",
        ),
        (RESOLD, RELAY.replace('"litellm"', '"fax"'), "targets.east.sample", "'fax' is not allowed"),
    ],
)
def test_mistakes_of_relays(tmp_path: Path, plan: str, relay: str, path: str, words: str) -> None:
    found = mistakes(tmp_path, SMALL.replace(LIMIT, plan) + relay)
    assert [mistake.message for mistake in found if mistake.path == path and words in mistake.message], found


def test_a_relay_has_a_stand_in(tmp_path: Path) -> None:
    shop = shopfile.read_shop(write(tmp_path, SMALL.replace(LIMIT, RESOLD) + RELAY), KNOWN)
    (sample,) = shopfile.samples(shop, 8000)
    assert (sample.module, sample.args) == ("samples.relays", ("--kind", "litellm"))
    assert list(sample.own) == ["LITELLM_ADMIN_KEY"]
    assert list(sample.shared) == ["EAST_KEY"]
    assert shopfile.addresses(shop, 8000, live=False) == {"east": "http://127.0.0.1:8003"}


def test_the_document_and_the_routes_must_agree(tmp_path: Path) -> None:
    assert mistakes(tmp_path, SMALL, API) == ()
    (found,) = mistakes(tmp_path, SMALL, API + "    delete: {}\n")
    assert found.file == "openapi.yaml"
    assert "DELETE /v1/things/{key}" in found.message
    (found,) = mistakes(tmp_path, SMALL, "openapi: 3.1.0\npaths: {}\n")
    assert (found.file, found.line) == ("shop.toml", 26)
    assert "not documented" in found.message
    (found,) = mistakes(tmp_path, SMALL, API + "  /v1/usage:\n    get: {}\n    post: [\n")
    assert found.file == "openapi.yaml"
    assert found.line


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        ("/v1/{id}", "/v1/users", True),
        ("/v1/users", "/v1/{id}", False),
        ("/v1/{rest...}", "/v1/a/b", True),
        ("/v1/{rest...}", "/v1", True),
        ("/v1/{a}", "/v1/{rest...}", False),
        ("/v1/{a}/x", "/v1/{b}/x", True),
        ("/v1/{a}/x", "/v1/{b}", False),
        ("/{rest...}", "/", True),
    ],
)
def test_which_path_hides_which(wide: str, narrow: str, covered: bool) -> None:
    assert shopfile.crosscheck.covers(wide, narrow) is covered


def test_samples_stand_in_unless_live(tmp_path: Path) -> None:
    text = SMALL.replace('credential = "UP_KEY"', 'credential = "UP_KEY"\nsample = "posts"')
    shop = shopfile.read_shop(write(tmp_path, text), KNOWN)
    (sample,) = shopfile.samples(shop, 8000, lambda name: f"secret of {name}")
    assert (sample.name, sample.module, sample.args, sample.port) == ("posts", "samples.posts", (), 8003)
    assert sample.own == {"POSTS_API_KEY": "secret of posts"}
    assert sample.shared == {"UP_KEY": "secret of posts"}
    assert shopfile.addresses(shop, 8000, live=False) == {"main": "http://127.0.0.1:8003"}
    assert shopfile.addresses(shop, 8000, live=True) == {}


@pytest.mark.parametrize("name", ["twtapi", "gettoken"])
def test_the_shops_of_the_house_are_right(name: str) -> None:
    shopfile.read_shop(Path(__file__).parents[2] / "shops" / name, shopfile.installed())
