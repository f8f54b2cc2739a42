"""Whole room: the policy rendered for people and programs, the same bytes every time, for both shops."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tollkeeper.core.policy import decode_policy, encode_policy, read_policy
from tollkeeper.core.policy_diff import diff
from tollkeeper.core.policy_rules import SECTIONS, walk_words
from tollkeeper.core.policy_schema import Policy
from tollkeeper.privacy.rendering import html, markdown, notices, wellknown
from tollkeeper.privacy.rendering.california import render_california
from tollkeeper.privacy.rendering.changes import render_changes
from tollkeeper.privacy.rendering.document import (
    Document,
    Facts,
    Link,
    Mark,
    Para,
    Section,
    Table,
    decode,
    encode,
    line,
    plain_text,
)
from tollkeeper.privacy.rendering.page import render_page
from tollkeeper.privacy.rendering.phrases import LANGUAGES, load
from tollkeeper.privacy.rendering.record import render_record

SHOPS = Path(__file__).resolve().parents[3] / "shops"
TEXTS = {name: (SHOPS / name / "policy.toml").read_text() for name in ("twtapi", "gettoken")}
POLICIES = {name: read_policy(text) for name, text in TEXTS.items()}
BOTH = pytest.mark.parametrize("shop", POLICIES)
EACH = pytest.mark.parametrize("language", LANGUAGES)
DAY = dt.date(2026, 11, 23)


def words_of(document: Document) -> str:
    """All words of a document, for looking things up."""
    found: list[str] = [document.title]
    for section in document.sections:
        found.append(section.title)
        for block in section.blocks:
            match block:
                case Para():
                    found.append(plain_text(block.line))
                case Facts():
                    found += [f"{term} {plain_text(one)}" for term, one in block.rows]
                case Table():
                    found += [" ".join(map(plain_text, row)) for row in block.rows]
                case _:
                    found.append(getattr(block, "text", ""))
                    found += [plain_text(one) for one in getattr(block, "lines", ())]
    return "\n".join(found)


@BOTH
@EACH
def test_every_text_of_the_policy_stands_on_the_page(shop, language):
    policy = POLICIES[shop]
    page = words_of(render_page(policy, language))
    missing = [
        path
        for path, words in walk_words(policy)
        # past versions stand on a page of their own, and so do the promises with what shows them
        if words[language] not in page and path[0] not in ("history", "promises")
    ]
    assert missing == []


@BOTH
def test_names_addresses_and_dates_stand_on_the_page(shop):
    policy = POLICIES[shop]
    page = words_of(render_page(policy, "en"))
    for text in (
        policy.controller.legal_name,
        policy.controller.email,
        policy.controller.register_entry,
        policy.authority.name,
        policy.representatives.uk.name,
        policy.contact.support_email,
        *(one.name for one in policy.recipients.values() if one.role != "authority"),
        *(one.contract.reference for one in policy.recipients.values() if one.role != "authority"),
        *(duty.reference for duty in policy.duties.values()),
        *(name for name in policy.cookies.registry),
    ):
        assert text in page
    assert load("en").date(policy.history[0].on) in page


@BOTH
@EACH
def test_the_sections_are_those_that_promises_name_in_their_order(shop, language):
    policy = POLICIES[shop]
    sections = [section.id for section in render_page(policy, language).sections]
    assert sections == SECTIONS
    assert {one.section for one in policy.promises.values()} <= set(sections)


@BOTH
def test_rendering_is_the_same_every_time_and_after_storing(shop):
    policy = POLICIES[shop]
    pages = {language: render_page(policy, language) for language in LANGUAGES}
    again = {language: render_page(decode_policy(encode_policy(policy)), language) for language in LANGUAGES}
    assert encode(pages) == encode(again)
    assert decode(encode(pages)) == pages


@BOTH
@EACH
def test_the_html_is_well_formed_escaped_and_has_no_id_twice(shop, language):
    text = html.render_sections(render_page(POLICIES[shop], language))
    ids = re.findall(r'id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    for target in re.findall(r'href="#([^"]+)"', text):
        assert target in ids
    for tag in ("section", "table", "dl", "ul", "p", "tr", "th", "td", "div"):
        assert len(re.findall(rf"<{tag}[ >]", text)) == text.count(f"</{tag}>"), tag
    assert "style=" not in text
    assert "<script" not in text


def test_words_from_the_file_cannot_break_out_of_the_html():
    document = Document(
        "en",
        "T",
        (
            Section(
                'x"><script>alert(1)</script>',
                "<b>",
                (
                    Para(line("<img src=x onerror=alert(1)>", Link('"><i>', 'https://x/"onclick="y'))),
                    Table("<caption>", ("<h>",), ((line(Mark("<m>", "new")),),)),
                    Facts((("<dt>", line("<dd>")),)),
                ),
            ),
        ),
    )
    text = html.render_sections(document)
    assert not re.findall(r"<(script|img|b|i|m|h)\b", text)
    assert 'onclick="y' not in text


@BOTH
@EACH
def test_the_markdown_reads_back_as_the_same_words(shop, language):
    page = render_page(POLICIES[shop], language)
    text = markdown.render(page, "Version 1")
    rendered = MarkdownIt("commonmark").enable("table").render(text)
    assert rendered.count("<h2>") == len([one for one in page.sections if one.title])
    tables = [block for section in page.sections for block in section.blocks if isinstance(block, Table)]
    assert rendered.count("<table>") == len(tables)
    assert "Version 1" in rendered


@EACH
def test_the_languages_have_the_same_phrases_with_the_same_gaps(language):
    english, other = load("en"), load(language)
    one = {name for name in english.names if not name.endswith("_one")}
    assert one <= other.names
    assert other.names <= english.names
    for name in one:
        gaps = set(re.findall(r"{(\w+)}", english.find(name) or ""))
        assert set(re.findall(r"{(\w+)}", other.find(name) or "")) == gaps, name


def test_dates_and_periods_read_as_people_write_them():
    english, chinese = load("en"), load("zh")
    assert english.date(dt.date(2025, 2, 26)) == "26 February 2025"
    assert chinese.date(dt.date(2025, 2, 26)) == "2025年2月26日"
    assert [english.days(count) for count in (1, 14, 365, 730)] == ["1 day", "14 days", "1 year", "2 years"]
    assert english.country("XX") == "XX"
    with pytest.raises(KeyError):
        english("no.such.phrase")


@BOTH
def test_every_country_of_the_shop_has_a_name(shop):
    policy = POLICIES[shop]
    codes = {policy.controller.country, *policy.children.ages}
    codes |= {place.country for place in policy.transfers.places.values()}
    for one in policy.recipients.values():
        codes |= {one.country, *one.countries}
    for language in LANGUAGES:
        assert not [code for code in codes if load(language).country(code) == code]


@BOTH
@EACH
def test_the_record_names_every_activity_and_marks_what_ran_out(shop, language):
    policy = POLICIES[shop]
    text = words_of(render_record(policy, language, DAY))
    for purpose in policy.purposes.values():
        assert purpose.text[language] in text
    for one in policy.recipients.values():
        assert one.role == "authority" or one.contract.reference in text
    expired = load(language)("record.expired")
    assert expired not in text
    assert expired in words_of(render_record(policy, language, dt.date(2029, 1, 1)))


@BOTH
@EACH
def test_the_californian_notice_has_all_letters_rights_and_no_sale(shop, language):
    policy, phrases = POLICIES[shop], load(language)
    text = words_of(render_california(policy, language))
    letters = {letter for category in policy.categories.values() for letter in category.ccpa}
    assert {"A", "B", "D", "F", "L"} <= letters
    for letter in letters:
        assert phrases(f"letter.{letter}") in text
    for right in policy.rights.ccpa:
        assert phrases(f"right.{right}") in text
    assert policy.regimes.ccpa.sale is not None
    assert policy.regimes.ccpa.sale[language] in text


@BOTH
@EACH
@pytest.mark.parametrize("form", notices.FORMS)
def test_the_notice_at_a_form_says_who_what_for_how_long_and_where_to_read_on(shop, language, form):
    policy = POLICIES[shop]
    notice = notices.render_notice(policy, form, language)
    text = " ".join(notice.sentences)
    assert policy.controller.legal_name in text
    for name in notices.FORMS[form].purposes:
        assert policy.purposes[name].title[language] in text
    for name in notices.FORMS[form].categories:
        for rule in policy.categories[name].keep:
            assert policy.keep[rule].text[language] in text
    anchor = notice.href.partition("#")[2]
    assert f'id="{anchor}"' in html.render_sections(render_page(policy, language))


def test_a_form_without_a_notice_is_an_error():
    with pytest.raises(notices.NoNotice):
        notices.render_notice(POLICIES["twtapi"], "newsletter", "en")


def test_optional_fields_are_named_as_such():
    notice = notices.render_notice(POLICIES["twtapi"], "signup", "en")
    assert any("Voluntary: Nickname." in sentence for sentence in notice.sentences)


def changed(*pairs: tuple[str, str]) -> tuple[Policy, Policy]:
    text = TEXTS["twtapi"]
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return POLICIES["twtapi"], read_policy(text)


def test_the_page_of_changes_puts_what_matters_first_and_marks_the_words():
    old, new = changed(
        ("[keep.session]\ndays = 14", "[keep.session]\ndays = 15"),
        ("You cannot sign in.", "You will not be able to sign in."),
    )
    document = render_changes(2, diff(old, new), "en", [new, old])
    assert "How long we keep it: Sessions" in words_of(document)
    assert [section.id for section in document.sections] == ["material", "wording"]
    text = html.render_sections(document)
    assert "<del>14</del><ins>15</ins>" in text
    assert "lengthens a period" in text
    assert "<ins>" in text.partition('id="wording"')[2]


def test_changes_in_another_language_are_not_shown_twice():
    old, new = changed(("无法登录。", "将无法登录。"))
    assert [section.id for section in render_changes(2, diff(old, new), "en").sections] == ["none"]
    assert [section.id for section in render_changes(2, diff(old, new), "zh").sections] == ["wording"]
    assert "first version" in words_of(render_changes(1, (), "en"))


@BOTH
def test_the_files_of_well_known_are_of_their_forms(shop):
    policy = POLICIES[shop]
    assert json.loads(wellknown.gpc(DAY)) == {"gpc": True, "lastUpdate": "2026-11-23"}
    expires = dt.datetime(2027, 10, 31, tzinfo=dt.UTC)
    fields = [row.split(": ", 1) for row in wellknown.security_txt(policy, "https://x", expires).splitlines()]
    names = [name for name, _ in fields]
    assert names.count("Expires") == names.count("Preferred-Languages") == 1
    assert names[0] == "Contact"
    assert dict(fields)["Expires"] == "2027-10-31T00:00:00Z"
    assert dict(fields)["Preferred-Languages"] == "en, zh-Hans"
    tree = json.loads(wellknown.privacy_json(policy, "https://x", 3, DAY, "abc"))
    assert tree["sells_or_shares"] is False
    assert set(tree["categories"]) == set(policy.categories)
    assert tree["purposes"]["security"]["basis_iri"].endswith("#A6-1-f")
