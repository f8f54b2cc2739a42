"""Every form that asks a person for something has its notice, made from the policy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tollkeeper.privacy.rendering.notices import FORMS

TEMPLATES = Path(__file__).resolve().parents[2] / "src" / "tollkeeper" / "web" / "templates"
ASKS = re.compile(
    r"c-field :field|{% element fields|{% element field |<textarea|<input(?![^>]*type=\"hidden\")"
)
WITHOUT = {
    "account/base_confirm_code.html": "a code that we sent",
    "account/reauthenticate.html": "the password that we know already, to make sure",
    "mfa/reauthenticate.html": "a code of a factor that we know already",
    "copy/code.html": "a code that we sent",
    "console/privacy.html": "a day that narrows one's own copy",
    "policy/case.html": "a fact that we know already, to make sure",
    "console/close.html": "a yes, and nothing is kept of it but that",
}
DESK = "desk/"
"""Forms of the desk are filled in by our own staff."""
NOTICE = re.compile(r'{% policy_notice "(\w+)" %}')


def forms() -> dict[str, str]:
    """Templates with a form that is posted and asks for something, by name."""
    found = {}
    for path in sorted(TEMPLATES.rglob("*.html")):
        text = path.read_text()
        name = str(path.relative_to(TEMPLATES))
        if not name.startswith(DESK) and 'method="post"' in text and ASKS.search(text):
            found[name] = text
    return found


def test_there_are_forms():
    assert len(forms()) > 12


@pytest.mark.parametrize("name", forms())
def test_every_form_has_a_notice_or_a_reason_for_none(name):
    if name not in WITHOUT:
        named = NOTICE.findall(forms()[name])
        assert named, f"{name}: add {{% policy_notice … %}}, or say here why none is needed"
        assert set(named) <= set(FORMS)


def test_the_reasons_are_for_forms_that_exist():
    assert set(WITHOUT) <= set(forms())


def test_a_form_without_notice_is_noticed():
    planted = '<form method="post"><c-field :field="form.phone" /></form>'
    assert ASKS.search(planted)
    assert not NOTICE.findall(planted)
    assert not ASKS.search('<form method="post"><input type="hidden" name="x"></form>')
