"""policy.toml: read with every mistake at once, hashed by content; both shops are faithful and sound."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from pydantic import ValidationError

from tollkeeper.core.policy import (
    BadPolicy,
    content_hash,
    decode_policy,
    dotted,
    encode_policy,
    read_policy,
)
from tollkeeper.core.policy_rules import Finding, overdue

SHOPS = Path(__file__).resolve().parents[2] / "shops"
TEXTS = {name: (SHOPS / name / "policy.toml").read_text() for name in ("twtapi", "gettoken")}
TEXT = TEXTS["twtapi"]


@pytest.mark.parametrize("shop", TEXTS)
def test_the_policy_of_the_shop_is_sound(shop):
    policy = read_policy(TEXTS[shop])
    assert overdue(policy, dt.date(2026, 11, 23)) == []


def test_the_shops_keep_the_promises_of_their_ledger():
    twtapi, gettoken = (read_policy(TEXTS[shop]) for shop in ("twtapi", "gettoken"))
    assert list(twtapi.promises) == [f"T-{number:02}" for number in range(1, 41)]
    assert list(gettoken.promises) == [f"G-{number:02}" for number in range(1, 70)]


@pytest.mark.parametrize(
    ("shop", "facts"),
    [
        (
            "twtapi",
            {
                "dates": dt.date(2025, 2, 26),
                "collected": ["E-mail", "Password", "Nickname", "IP address", "API calls", "support"],
                "badges": False,
            },
        ),
        (
            "gettoken",
            {
                "dates": dt.date(2024, 10, 31),
                "collected": ["E-mail", "Profile", "sessions", "Key metadata", "Quota snapshots", "device"],
                "badges": True,
            },
        ),
    ],
)
def test_facts_of_the_two_policies_are_kept(shop, facts):
    policy = read_policy(TEXTS[shop])
    assert policy.history[0].on == facts["dates"]
    titles = " ".join(category.title.en for category in policy.categories.values())
    for word in facts["collected"]:
        assert word in titles
    assert policy.regimes.gdpr.badge is facts["badges"]
    assert policy.regimes.ccpa.badge is facts["badges"]
    assert {cookie.need for cookie in policy.cookies.registry.values()} <= {"essential", "preference"}
    assert max(rule.days for rule in policy.keep.values() if rule.logs) <= 90
    assert min(policy.children.ages.values()) >= 13
    assert policy.recipients["stripe"].fields
    assert "account.email" not in policy.recipients["stripe"].categories


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file():
    text = TEXT.replace("[controller]\n", "[controller]\nfax = '1'\n", 1)
    text = text.replace("authority_hours = 72", 'authority_hours = "72"', 1)
    text = text.replace('country = "NL"\nholder', 'country = "nl"\nholder', 1)
    with pytest.raises(BadPolicy) as caught:
        read_policy(text)
    found = caught.value.mistakes
    assert [mistake.path for mistake in found] == [
        "controller.fax",
        "transfers.places.book.country",
        "breach.authority_hours",
    ]
    lines = text.splitlines()
    assert "fax" in lines[found[0].line - 1]
    assert '"nl"' in lines[found[1].line - 1]
    assert "authority_hours" in lines[found[2].line - 1]
    assert str(found[0]) == f"line {found[0].line}: controller.fax is not a setting of the policy"


def test_what_is_not_toml_is_said_with_its_line():
    with pytest.raises(BadPolicy) as caught:
        read_policy('[policy]\nservice = "x\n')
    assert caught.value.mistakes[0].line == 2


def test_the_hash_is_of_the_content_and_not_of_the_file():
    policy = read_policy(TEXT)
    blocks = TEXT.split("\n\n")
    children = next(i for i, block in enumerate(blocks) if block.startswith("[children.ages]"))
    moved = "\n\n".join([*blocks[:children], *blocks[children + 1 :], blocks[children]])
    assert content_hash(read_policy("# comment\n\n" + moved)) == content_hash(policy)
    assert content_hash(read_policy(TEXT.replace("DE = 16", "DE = 15"))) != content_hash(policy)


@pytest.mark.parametrize("shop", TEXTS)
def test_a_stored_policy_reads_as_it_was_written_in_the_same_order(shop):
    policy = read_policy(TEXTS[shop])
    again = decode_policy(encode_policy(policy))
    assert again == policy
    assert list(again.categories) == list(policy.categories)
    with pytest.raises(ValidationError):
        decode_policy('{"policy": 1}')


def test_a_path_with_dots_in_a_key_is_quoted():
    assert dotted(("categories", "account.email", "title")) == 'categories."account.email".title'
    assert dotted(Finding(("a", 0, "b-c"), "x").path) == "a[0].b-c"
