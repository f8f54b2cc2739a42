"""What changed between two policies, and whether it must be announced."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.core.policy import read_policy
from tollkeeper.core.policy_diff import REASONS, Change, diff, is_material, word_diff

TEXT = (Path(__file__).resolve().parents[2] / "shops" / "twtapi" / "policy.toml").read_text()
POLICY = read_policy(TEXT)

NEW_CATEGORY = """
[categories."technical.errors"]
group = "technical"
title = { en = "Error log", zh = "错误日志" }
text = { en = "What failed.", zh = "出错的内容。" }
purposes = ["security"]
sources = ["device"]
keep = ["security"]
fides = "user.telemetry"
ccpa = ["F"]
"""
NEW_RECIPIENT = """
[recipients.helper]
name = "Helper GmbH"
role = "processor"
kind = "support"
service = { en = "Helps.", zh = "协助。" }
when = { en = "Now and then, by ticket.", zh = "按工单。" }
country = "DE"
contract = { kind = "processing", reference = "A", signed_on = 2026-01-01, until = 2027-01-01 }
transfer = { tool = "none" }
"""


def changes(*pairs: tuple[str, str], back: bool = False) -> tuple[Change, ...]:
    text = TEXT
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    other = read_policy(text)
    return diff(other, POLICY) if back else diff(POLICY, other)


MATERIAL = [
    ("category", ("[categories.key]", NEW_CATEGORY + "\n[categories.key]")),
    ("purpose", ('purposes = ["auth", "notice"]', 'purposes = ["auth", "notice", "support"]')),
    ("source", ('sources = ["stripe"]', 'sources = ["stripe", "reports"]')),
    (
        "basis",
        ('basis = "contract"\nnecessity.en = "An answer', 'basis = "consent"\nnecessity.en = "An answer'),
    ),
    ("recipient", ("[recipients.mail]", NEW_RECIPIENT + "\n[recipients.mail]")),
    ("recipient", ('"metadata.refund",', '"metadata.refund", "metadata.email",')),
    (
        "recipient",
        (
            'categories = ["account.email", "support"]\n',
            'categories = ["account.email", "support", "order"]\n',
        ),
    ),
    ("country", ('countries = ["US"]', 'countries = ["US", "IN"]')),
    ("country", ('title.zh = "加密备份"\ncountry = "IE"', 'title.zh = "加密备份"\ncountry = "FR"')),
    ("period", ("[keep.session]\ndays = 14", "[keep.session]\ndays = 15")),
    ("period", ("inactive_months = 24", "inactive_months = 36")),
    ("right", ("complaint_answer_days = 14", "complaint_answer_days = 15")),
    ("right", ("closure_backups_days = 35", "closure_backups_days = 60")),
    ("right", ("DE = 16", "DE = 15")),
    ("right", ("notice_days = 30", "notice_days = 20")),
    ("right", ('channels = ["mail", "console"]', 'channels = ["console"]')),
    (
        "right",
        (
            'optional = true\nfides = "user.account.username"',
            'optional = false\nfides = "user.account.username"',
        ),
    ),
    ("promise", (TEXT[TEXT.index("T-40 = ") :], "")),
    ("controller", ("TwtAPI Example Ltd.", "Other Example Ltd.")),
]


@pytest.mark.parametrize(("reason", "pair"), MATERIAL)
def test_what_adds_lengthens_or_weakens_is_material(reason, pair):
    found = changes(pair)
    assert reason in {change.reason for change in found}
    assert is_material(found)


LOOSER = {"purpose", "source", "recipient", "period", "right", "category"}


@pytest.mark.parametrize(
    ("reason", "pair"),
    [pair for pair in MATERIAL if pair[0] in LOOSER and "keep.session" not in pair[1][0]],
)
def test_the_same_change_taken_back_is_no_weakening(reason, pair):
    assert not is_material(changes(pair, back=True))


def test_every_reason_has_a_case():
    covered = {reason for reason, _ in MATERIAL} | {"cookie", "decision"}
    assert covered == set(REASONS)


def test_a_new_optional_cookie_or_machine_decision_is_material():
    decision = """
[automated.decisions.fraud]
title = { en = "Fraud score", zh = "欺诈评分" }
logic = { en = "Counts failed cards.", zh = "统计失败的卡。" }
consequence = { en = "The order waits.", zh = "订单等待。" }
review = { en = "Ask us.", zh = "联系我们。" }

[regimes.gdpr]"""
    assert {c.reason for c in changes(("[regimes.gdpr]", decision))} == {"decision"}
    preference = TEXT[TEXT.index("[cookies.registry.theme]") :]
    preference = preference[: preference.index("\n\n# ---")].replace("registry.theme", "registry.density")
    found = changes(("[cookies.registry.theme]", preference + "\n\n[cookies.registry.theme]"))
    assert [(c.kind, c.reason) for c in found] == [("added", "cookie")]


def test_a_word_in_a_category_is_listed_and_not_material():
    found = changes(
        ("The name and version that your browser sends", "The name and number that your browser sends")
    )
    assert [(change.path, change.kind, change.reason) for change in found] == [
        (("categories", "technical.agent", "text", "en"), "changed", "")
    ]
    assert not is_material(found)


def test_a_longer_keep_rule_for_a_category_is_material_and_a_shorter_one_is_not():
    longer = changes(('keep = ["support", "attachment"]', 'keep = ["support", "tax"]'))
    assert {change.reason for change in longer} == {"period"}


def test_equal_policies_have_no_changes():
    assert diff(POLICY, read_policy(TEXT)) == ()


@given(st.text(max_size=60), st.text(max_size=60))
def test_the_pieces_of_a_word_diff_make_up_both_texts(before, after):
    pieces = word_diff(before, after)
    assert "".join(text for op, text in pieces if op != "new") == before
    assert "".join(text for op, text in pieces if op != "gone") == after


def test_a_word_diff_is_of_words_and_of_single_chinese_characters():
    assert ("gone", "14 ") in word_diff("kept 14 days", "kept 30 days")
    assert word_diff("保存十天", "保存百天") == (
        ("same", "保存"),
        ("gone", "十"),
        ("new", "百"),
        ("same", "天"),
    )


def test_what_newly_passes_through_is_a_material_change() -> None:
    start = TEXT.index("[passing.contents]")
    before = TEXT[:start] + TEXT[TEXT.index("# ------", start) :]
    (found,) = diff(read_policy(before), POLICY)
    assert (found.path, found.reason) == (("passing", "contents"), "category")
