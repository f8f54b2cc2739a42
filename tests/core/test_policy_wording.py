"""The linter of wording: what it objects to, and what redeems a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tollkeeper.core.policy import BadPolicy, read_policy
from tollkeeper.core.policy_wording import RULES, judge

TEXT = (Path(__file__).resolve().parents[2] / "shops" / "twtapi" / "policy.toml").read_text()

BAD = [
    ("as-needed", "keep", "en", "We keep it as long as needed."),
    ("as-needed", "retention", "en", "Data is deleted within a reasonable time."),
    ("as-needed", "keep", "zh", "在合理的期限内保存。"),
    ("usually", "keep", "en", "Logs usually stay 30 to 90 days."),
    ("usually", "keep", "zh", "日志通常保存 90 天。"),
    ("consent-by-use", "use", "en", "By using the service you agree to this policy."),
    ("consent-by-use", "use", "en", "Continued use constitutes your acceptance of changes."),
    ("consent-by-use", "use", "zh", "使用本服务即表示您同意本政策。"),
    ("encrypted-password", "collection", "en", "We store an encrypted password."),
    ("encrypted-password", "collection", "en", "Passwords are stored in encrypted form."),
    ("encrypted-password", "collection", "zh", "您的密码会加密保存。"),
    ("absolute-security", "security", "en", "Your data is 100% secure."),
    ("absolute-security", "security", "en", "We guarantee the security of your data."),
    ("absolute-security", "security", "en", "Protected by military-grade technology."),
    ("absolute-security", "security", "zh", "我们确保您的数据绝对安全。"),
    ("empty-assurance", "policy", "en", "We take your privacy seriously."),
    ("empty-assurance", "security", "en", "We use industry-standard measures."),
    ("empty-assurance", "policy", "zh", "我们非常重视您的隐私。"),
    ("blank-cheque", "use", "en", "and for other purposes"),
    ("blank-cheque", "changes", "en", "We may change this policy without notice."),
    ("blank-cheque", "use", "zh", "以及其他目的。"),
    ("hand-made-badge", "policy", "en", "We are GDPR compliant."),
    ("hand-made-badge", "policy", "zh", "我们符合GDPR。"),
    ("hash-is-anonymous", "collection", "en", "We hash the address, so it is anonymous."),
    ("browser-only", "cookies", "en", "Cookies can only be controlled in your browser settings."),
    ("browser-only", "cookies", "zh", "您只能通过浏览器管理。"),
]
GOOD = [
    ("keep", "en", "As long as it is needed for the order, three years at most."),
    ("keep", "en", "Needed for 90 days."),
    ("security", "en", "As needed, we add measures."),
    ("use", "en", "Using the service is not taken as consent to anything."),
    ("collection", "en", "Passwords are hashed; other secrets are encrypted."),
    ("collection", "en", "We never store an encrypted password, only a hash."),
    ("security", "en", "Nobody can promise absolute security."),
    ("security", "en", "We cannot guarantee the security of the internet."),
    ("security", "zh", "任何人都不能承诺绝对安全。"),
    ("collection", "en", "A hash is not anonymous."),
]


@pytest.mark.parametrize(("rule", "section", "language", "text"), BAD)
def test_a_sentence_to_avoid_is_found(rule, section, language, text):
    assert rule in judge(text, language, section)


@pytest.mark.parametrize(("section", "language", "text"), GOOD)
def test_an_honest_sentence_passes(section, language, text):
    assert judge(text, language, section) == []


def test_every_rule_has_an_example_in_both_languages_where_it_knows_both():
    assert {rule.name for rule in RULES} == {name for name, *_ in BAD}


def test_a_good_sentence_does_not_redeem_its_neighbour():
    assert judge("Nobody is perfect. Your data is 100% secure.", "en") == ["absolute-security"]


def test_the_reader_refuses_a_policy_with_such_a_sentence_and_names_its_line():
    text = TEXT.replace('text.en = "30 days"', 'text.en = "as long as necessary"')
    with pytest.raises(BadPolicy) as caught:
        read_policy(text)
    (mistake,) = caught.value.mistakes
    assert mistake.path == "keep.security.text.en"
    assert "[as-needed]" in mistake.text
    assert "as long as necessary" in text.splitlines()[mistake.line - 1]
