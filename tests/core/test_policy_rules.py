"""Rules across nodes: each refuses alone, names its place, and knows the date."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest

from tollkeeper.core.policy import BadPolicy, dotted, locate, read_policy
from tollkeeper.core.policy_rules import overdue, placeholders, walk_words

SHOPS = Path(__file__).resolve().parents[2] / "shops"
TEXTS = {name: (SHOPS / name / "policy.toml").read_text() for name in ("twtapi", "gettoken")}
TEXT = TEXTS["twtapi"]


def mistakes(*changes: tuple[str, str], text: str = TEXT) -> dict[str, str]:
    """Path → sentence of every mistake after the changes."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    with pytest.raises(BadPolicy) as caught:
        read_policy(text)
    return {mistake.path: mistake.text for mistake in caught.value.mistakes}


@pytest.mark.parametrize(
    ("old", "new", "path", "words"),
    [
        ('title.zh = "密码（仅存哈希）"\n', "", 'categories."account.password".title', "no text in zh"),
        ('interest.en = "A service', 'xinterest = "A', "purposes.security.xinterest", "not a setting"),
        (
            'balanced_on = 2026-11-02\nnecessity.en = "An',
            'necessity.en = "An',
            "purposes.security.balanced_on",
            "required",
        ),
        (
            'basis = "law"\nduties = ["tax", "rights", "proof", "orders_of_courts"]',
            'basis = "law"',
            "purposes.legal.duties",
            "must name the duties",
        ),
        ('duties = ["tax",', 'duties = ["taxes",', "purposes.legal.duties", "'taxes'"),
        (
            'purposes = ["auth", "notice"]',
            'purposes = ["auth", "marketing"]',
            'categories."account.settings".purposes',
            "'marketing'",
        ),
        ('sources = ["stripe"]', 'sources = ["facebook"]', "categories.payment.sources", "'facebook'"),
        ('keep = ["support", "attachment"]', 'keep = ["forever"]', "categories.support.keep", "'forever'"),
        (
            'role = "processor"\nkind = "payment"',
            'role = "buyer"\nkind = "payment"',
            "recipients.stripe.role",
            "'processor', 'controller' or 'authority'",
        ),
        (
            'kind = "processing", reference = "Stripe',
            'kind = "none_yet", reference = "Stripe',
            "recipients.stripe.contract.kind",
            "Art. 28",
        ),
        (
            "signed_on = 2026-01-12, until = 2028-01-12",
            "signed_on = 2026-01-12",
            "recipients.stripe.contract.until",
            "required",
        ),
        (
            "signed_on = 2026-01-12, until = 2028-01-12",
            "signed_on = 2026-01-12, until = 2025-01-12",
            "recipients.stripe.contract.until",
            "before",
        ),
        (
            'tool = "adequacy", reference',
            'tool = "none", reference',
            "recipients.stripe.transfer.tool",
            "data goes to US",
        ),
        ('holder = "hosting"', 'holder = "cloud"', "transfers.places.book.holder", "'cloud'"),
        (
            'use = "security"\nneed = "essential"',
            'use = "security"\nneed = "optional"',
            "cookies.registry.csrftoken.use",
            "consent",
        ),
        ('"portability", "object", ', '"object", ', "rights.gdpr", "'portability'"),
        ('"know", "delete", ', '"know", ', "rights.ccpa", "'delete'"),
        ('where = "/console', 'where = "console', "rights.where", "begins with /"),
        ("[keep.calls]\ndays = 30", "[keep.calls]\ndays = 91", "keep.calls.days", "90 days are the most"),
        ("[keep.support]\ndays = 740", "[keep.support]\ndays = 1500", "keep.support.law", "name the law"),
        ("DE = 16", "DE = 17", "children.ages.DE", "above 16"),
        ("US = 13", "US = 12", "children.ages.US", "greater than or equal to 13"),
        ("reviewed_on = 2026-11-02", "", "regimes.ccpa.reviewed_on", "required"),
        ("k = 20", "k = 5", "use.k", "greater than or equal to 20"),
        ("notice_days = 30", "notice_days = 7", "changes.notice_days", "greater than or equal to 14"),
        (
            'T-40 = { section = "contact"',
            'T-40 = { section = "contacts"',
            "promises.T-40.section",
            "'contacts'",
        ),
        (
            "[representatives.uk]\nname =",
            "[representatives.uk]\nxname =",
            "representatives.uk.xname",
            "not a setting",
        ),
        ('country = "IE"\nregister_entry', 'country = "SG"\nregister_entry', "representatives.eu", "Art. 27"),
        (
            'country = "IE"\naddress = ["6 Pembroke',
            'country = "FR"\naddress = ["6 Pembroke',
            "authority.country",
            "must be IE",
        ),
        (
            'sources = ["you"]\nkeep = ["account"]',
            'sources = ["you", "you"]\nkeep = ["account"]',
            'categories."account.email".sources',
            "twice",
        ),
        (
            'days = 14\nwhen.en = "When you sign',
            'days = 500\nwhen.en = "When you sign',
            "cookies.registry.sessionid.days",
            "395",
        ),
    ],
)
def test_each_rule_refuses(old, new, path, words):
    found = mistakes((old, new))
    assert path in found, found
    assert words in found[path]


def test_what_ran_out_is_found_on_the_day_after():
    policy = read_policy(TEXT)
    last = dt.date(2028, 1, 5)
    paths = {finding.path for finding in overdue(policy, last)}
    assert ("recipients", "mail", "contract", "until") not in paths
    paths = {finding.path for finding in overdue(policy, last + dt.timedelta(days=1))}
    assert ("recipients", "mail", "contract", "until") in paths
    assert ("regimes", "ccpa", "reviewed_on") in paths
    assert ("purposes", "security", "balanced_on") not in paths


@pytest.mark.parametrize("shop", TEXTS)
def test_placeholders_of_the_sample_shops_are_found_with_their_lines(shop):
    found = locate(TEXTS[shop], placeholders(read_policy(TEXTS[shop])))
    paths = {mistake.path for mistake in found}
    assert {"controller.legal_name", "controller.email", "contact.email"} <= paths
    lines = TEXTS[shop].splitlines()
    assert all("xample" in lines[one.line - 1] or "000" in lines[one.line - 1] for one in found)


def test_a_real_controller_holds_no_placeholder():
    text = TEXT
    for old, new in (
        ("TwtAPI Example Ltd.", "Northlight Data Ltd."),
        ("twtapi.example", "twtapi.com"),
        ("no. 000000", "no. 512388"),
    ):
        text = text.replace(old, new)
    paths = {mistake.path for mistake in locate(text, placeholders(read_policy(text)))}
    assert not any(path.startswith(("controller", "contact")) for path in paths)


def test_every_text_of_the_tree_is_walked():
    policy = read_policy(TEXT)
    paths = {dotted(path) for path, _ in walk_words(policy)}
    written = {
        word: len(re.findall(rf"(?:^(?:\S+\.)?|, ){word} = ", TEXT, re.MULTILINE)) for word in ("en", "zh")
    }
    assert written == {"en": len(paths), "zh": len(paths)}
    assert 'categories."account.email".title' in paths
    assert "policy.intro[1]" in paths
