"""Planted values are found nowhere; and a leak that somebody planted is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import Client

from tests.drills.broken import play_broken
from tests.drills.playing import play
from tollkeeper.drills import _forms

pytestmark = pytest.mark.timeout(280)


def test_it_holds() -> None:
    figures = play("canary")
    assert figures["hits"] == 0
    assert figures["forms"] >= 15
    assert figures["planted"] > 30
    assert figures["erased"] > 0


NICK = """
from pathlib import Path
import sys
from tollkeeper.accounts import queries, services
from tollkeeper.kit.jobs import enqueue
whole = services.set_nickname
def leak(user, name):
    whole(user, name)
    {leak}
services.set_nickname = leak
"""
LEAKS = {
    "a column in the clear": (
        NICK.format(leak="enqueue('prove', name)"),
        "hits_tables",
    ),
    "a log with an address": (
        NICK.format(leak="(Path(sys.argv[2]) / 'web.log').open('a').write(str(queries.find_email(user)))"),
        "hits_logs",
    ),
    "a card under a seal": (
        "from tollkeeper.support import services as s; s.strike_cards = lambda text: text",
        "cards_under_seals",
    ),
}


@pytest.mark.parametrize(("fault", "figure"), LEAKS.values(), ids=LEAKS)
def test_a_planted_leak_is_found(tmp_path: Path, fault: str, figure: str) -> None:
    figures = play_broken("canary", fault, tmp_path)
    assert not figures["ok"]
    assert figures[figure] > 0


def test_forms_are_read_as_a_browser_does() -> None:
    reader = _forms._Reader("/a/")
    reader.feed(
        '<form method="post" action="b"><input name="t" value="1"><textarea name="w"></textarea>'
        '<select name="s"><option value="x"><option value="y"></select>'
        '<input type="radio" name="r" value="p"><input type="radio" name="r" value="q"></form>'
        '<form><input name="no"></form><a href="/c/">c</a>'
    )
    (form,) = reader.forms
    assert form.action == "/a/b"
    assert form.fields == {
        "t": ("1", "text"),
        "w": ("", "textarea"),
        "s": ("x", "select"),
        "r": ("p", "radio"),
    }
    assert reader.links == ["/c/"]
    assert list(_forms.fill_in(Client(), ["mailto:x", "/accounts/logout/"], str)) == []
