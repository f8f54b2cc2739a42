"""The linter of wording: sentences that promise too much, or nothing.

Every pattern carries its advice. A period or a number in the same sentence redeems
"as long as necessary"; a negation redeems "absolute security".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tollkeeper.core.policy_rules import Finding, walk_words
from tollkeeper.core.policy_schema import Policy

_SENTENCE = re.compile(r"[^.!?。！？]+(?:\.\d[^.!?。！？]*)*[.!?。！？]?")
_PERIOD = re.compile(
    r"\b(\d+|one|two|three|six|seven|ten|thirteen|fourteen|eighteen|twenty-four|thirty|ninety)\b[\w\s-]{0,24}?"
    r"\b(minute|hour|day|week|month|year)s?\b|\d+\s*(分钟|小时|天|日|周|个月|年)|[一二两三六七十]+(个?月|年|天|周|小时)",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(no|not|nobody|none|never|nothing|cannot|can't|without)\b|不|没有|无法|无人|任何人都", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Rule:
    """A wording to avoid, per language, and what to write instead."""

    name: str
    en: str
    zh: str
    advice: str
    redeemed_by: re.Pattern[str] | None = None
    only_under: tuple[str, ...] = ()


RULES = (
    Rule(
        "as-needed",
        r"\b(as|where|when|if|is) (long as )?(is |it is |are )?(reasonably )?(needed|necessary|required)\b"
        r"|\b(reasonable|appropriate|limited) (time|period)\b|\bindefinitely\b|\bfor ever\b|\bforever\b",
        r"按需|视需要|必要的?(时间|期限|期间)|合理的?(时间|期限|期间)|无限期|永久",
        "names no end: write the longest period",
        _PERIOD,
        ("keep", "retention"),
    ),
    Rule(
        "usually",
        r"\b(usually|typically|generally|normally|in general)\b",
        r"通常|一般(来说|情况下|为)|大约",
        "leaves the period open: write the longest one",
        None,
        ("keep", "retention"),
    ),
    Rule(
        "consent-by-use",
        r"\bby (using|accessing|visiting|continuing|registering|signing up)\b.{0,80}?\b(agree|consent|accept)"
        r"|\b(use|using|continued use)\b.{0,60}\b(constitutes|means|signifies|implies)\b"
        r".{0,40}\b(consent|agree|accept)",
        r"(使用|访问|继续使用|注册).{0,20}(即|就)?(表示|视为|意味着|代表).{0,10}(同意|接受)",
        "is no consent: use shows nothing; this policy informs",
        _NEGATION,
    ),
    Rule(
        "encrypted-password",
        r"\bencrypt\w*\b[^,;]{0,24}\bpasswords?\b|\bpasswords?\b[^,;]{0,40}\bencrypt\w*",
        r"加密[^，；]{0,8}密码|密码[^，；]{0,14}加密",
        "passwords are hashed, not encrypted: say so",
        _NEGATION,
    ),
    Rule(
        "absolute-security",
        r"\b(100 ?%|absolutely|completely|fully|totally|perfectly|always) (safe|secure|protected)\b"
        r"|\bguarantee\w*\b.{0,40}\b(security|safety|secure|safe)\b"
        r"|\b(absolute|total|complete|perfect) security\b"
        r"|\b(unhackable|unbreakable|bulletproof)\b|\b(military|bank)[- ]grade\b"
        r"|\bcannot be (hacked|breached|stolen)\b",
        r"绝对安全|百分之百安全|100\s?%\s?安全|万无一失|军用级|银行级|无法(被)?(破解|攻破)|(保证|确保).{0,8}(绝对|完全)",
        "nobody can promise this: say what is done",
        re.compile(
            r"\b(no|nobody|no one|never)\b|\b(cannot|can't|do not|does not) (promise|guarantee)\b"
            r"|无法(保证|承诺)|不能(保证|承诺)|没有任何|任何人都",
            re.IGNORECASE,
        ),
    ),
    Rule(
        "empty-assurance",
        r"\byour privacy (is|matters)\b|\bwe (value|respect|care about|take).{0,20}\bprivacy\b|\bseriously\b"
        r"|\bindustry[- ]standard\b|\bstate[- ]of[- ]the[- ]art\b|\bbest practices?\b"
        r"|\btrusted (partners?|third parties)\b",
        r"(重视|尊重|珍视).{0,6}隐私|行业标准|业界领先|最佳实践|(可信|信任的|值得信赖的)(合作)?伙伴",
        "says nothing that can be checked: name the fact",
    ),
    Rule(
        "blank-cheque",
        r"\b(other|any|various|certain|legitimate) (business )?purposes\b|\bfor any (reason|purpose)\b"
        r"|\bfrom time to time\b|\bwithout (prior |further )?notice\b|\bat our (sole )?discretion\b"
        r"|\betc\.|\band so on\b|\bas we see fit\b",
        r"其他(商业)?目的|任何目的|不时|恕不另行通知|无需通知|自行决定|等等",
        "leaves open what happens: name it",
    ),
    Rule(
        "hand-made-badge",
        r"\b(gdpr|ccpa)[- ](compliant|certified|ready)\b"
        r"|\bcompl(y|ies|iant) with (all|every|the gdpr|the ccpa)",
        r"(符合|遵守|通过)\s?(GDPR|CCPA)(合规|认证)?",
        "is shown by a badge that is computed, never written by hand",
    ),
    Rule(
        "hash-is-anonymous",
        r"\bhash\w*\b.{0,40}\banonym|\banonym\w*\b.{0,40}\bhash|\bpseudonym\w*\b.{0,30}\banonymous\b",
        r"(哈希|散列).{0,12}匿名|匿名.{0,12}(哈希|散列)|假名.{0,10}匿名",
        "a hash or pseudonym still leads to a person: call it pseudonymous",
        _NEGATION,
    ),
    Rule(
        "browser-only",
        r"\b(only|solely)\b.{0,40}\b(browser settings|your browser)\b",
        r"(仅|只)(能|可).{0,12}浏览器",
        "the browser is not the only control: name the others",
    ),
)


def check_wording(policy: Policy) -> list[Finding]:
    """Every sentence of the policy that a rule objects to, with the advice."""
    found: list[Finding] = []
    for path, words in walk_words(policy):
        found += [Finding((*path, "en"), text) for text in _judge(words.en, "en", str(path[0]))]
        if words.zh is not None:
            found += [Finding((*path, "zh"), text) for text in _judge(words.zh, "zh", str(path[0]))]
    return found


def judge(text: str, language: str, section: str = "") -> list[str]:
    """The names of the rules that ``text`` breaks; ``section`` is the top key it stands under."""
    return [rule.name for rule, _ in _breaches(text, language, section)]


def _judge(text: str, language: str, section: str) -> Iterator[str]:
    for rule, words in _breaches(text, language, section):
        yield f"{words!r} {rule.advice} [{rule.name}]"


def _breaches(text: str, language: str, section: str) -> Iterator[tuple[Rule, str]]:
    for rule in RULES:
        if rule.only_under and section not in rule.only_under:
            continue
        pattern = rule.zh if language == "zh" else rule.en
        for sentence in _SENTENCE.findall(text):
            match = re.search(pattern, sentence, re.IGNORECASE)
            if match and not (rule.redeemed_by and rule.redeemed_by.search(sentence)):
                yield rule, match.group(0).strip()
