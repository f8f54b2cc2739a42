"""Translations fit their originals, are found in every corner of the source, and reach the page."""

from __future__ import annotations

import re
from pathlib import Path

import polib  # type: ignore[import-untyped]
import pytest
from django.test import Client
from django.urls import reverse

from tests.web.story import Story
from tollkeeper.web import messages

CATALOGS = sorted(messages.CATALOGS.glob("*/LC_MESSAGES/*.po"))
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%\+?\.?\d*[sdf]|%%|<[^>]+>")


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.parts[-3])
def test_placeholders_and_markup_are_the_same(path: Path) -> None:
    for entry in polib.pofile(str(path)):
        original = entry.msgid_plural or entry.msgid
        for text in [entry.msgstr, *entry.msgstr_plural.values()]:
            if text:
                assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(original)), entry.msgid


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.parts[-3])
def test_nearly_everything_is_translated(path: Path) -> None:
    known = {(e.msgid, e.msgid_plural): e.msgstr or e.msgstr_plural.get(0) for e in polib.pofile(str(path))}
    wanted = messages.wanted()
    bare = [message[0] for message in wanted if not known.get(message)]
    assert len(bare) < len(wanted) * 0.1, f"run `python -m tollkeeper.web.messages`, then translate: {bare}"


def test_texts_are_found_where_they_stand() -> None:
    assert list(messages.in_python('x = _("one"); ngettext("a", "b", 3); other("no"); _(name)')) == [
        ("one", ""),
        ("a", "b"),
    ]
    page = (
        '{% load i18n %}{% translate "one" %}<p title="{% translate \'two\' %}">'
        "{% blocktranslate with n=name %}three {{ n }}{% endblocktranslate %}"
        "{% blocktranslate count n=k %}a day{% plural %}{{ n }} days{% endblocktranslate %}{{ _('four') }}"
    )
    assert set(messages.in_template(page)) == {
        ("one", ""), ("two", ""), ("three %(n)s", ""), ("a day", "%(n)s days"), ("four", ""),
    }  # fmt: skip


def test_a_catalog_is_compiled_when_its_text_is_newer(tmp_path: Path) -> None:
    folder = tmp_path / "xx" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    catalog = polib.POFile()
    catalog.append(polib.POEntry(msgid="one", msgstr="eins"))
    catalog.save(str(folder / "django.po"))
    messages.compile_catalogs(tmp_path)
    first = (folder / "django.mo").stat().st_mtime_ns
    messages.compile_catalogs(tmp_path)
    assert (folder / "django.mo").stat().st_mtime_ns == first
    assert polib.mofile(str(folder / "django.mo"))[0].msgstr == "eins"
    assert not list(folder.glob("*.part"))


def test_pages_speak_the_language_of_the_browser_and_of_the_choice(story: Story) -> None:
    client = Client()
    chinese = client.get(reverse("home"), headers={"Accept-Language": "zh-CN"}).content.decode()
    assert 'lang="zh-hans"' in chinese
    assert "获取免费密钥" in chinese
    assert "Get a free key" not in chinese
    client.post(reverse("set_language"), {"language": "zh-hans", "next": "/plans/"})
    assert "套餐与价格" in client.get(reverse("plans")).content.decode()
    assert "Plans and prices" in Client().get(reverse("plans")).content.decode()
