from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tollkeeper.cli.touring import html

PAGE = """<!doctype html><html><body>
<nav><a href="/plans/">Plans</a></nav>
<main><h1>Hello,<br>you</h1><p>One <b>bold</b> word &amp; two.</p>
<script>var not = "text";</script>
<form method="POST" action="/send/">
<input type="hidden" name="token" value="t&quot;1"><input name="plain">
<input type="checkbox" name="off"><input type="checkbox" name="on" checked>
<input type="radio" name="way" value="a"><input type="radio" name="way" value="b" checked>
<input name="no" value="x" disabled><input type="submit" name="button" value="Go">
<select name="one"><option value="1">A<option value="2" selected>B</select>
<select name="first"><option>x</option><option>y</option></select>
<textarea name="text">some
text</textarea><button name="b" value="1">Send</button></form>
<ul><li>a<li>b</ul></main></body></html>"""


def test_a_form_sends_what_a_browser_would() -> None:
    (form,) = html.read(PAGE).forms
    assert (form.method, form.action) == ("post", "/send/")
    assert form.values == {
        "token": 't"1',
        "plain": "",
        "on": "on",
        "way": "b",
        "one": "2",
        "first": "x",
        "text": "some text",
    }


def test_text_is_what_can_be_read() -> None:
    main = html.read(PAGE).first("main")
    assert main is not None
    assert main.text.startswith("Hello, you One bold word & two.")
    assert "not" not in main.text
    assert "Plans" not in main.text


def test_elements_are_found_by_attribute() -> None:
    root = html.read('<div data-testid="x" id="a"><p data-testid="x">in</p></div>')
    assert [element.tag for element in root.all(data_testid="x")] == ["div", "p"]
    assert root.first("p", data_testid="x") is not None
    assert root.first("p", id="a") is None


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(text: str) -> None:
    root = html.read(text)
    assert isinstance(root.text, str)
    assert isinstance(root.forms, list)


def test_the_deed_is_the_first_form_that_posts() -> None:
    page = html.read(
        '<form><input name="q"></form><form method="POST"><input name="quantity" value="2"></form>'
    )
    assert page.deed is not None
    assert page.deed.values == {"quantity": "2"}
    assert html.read("<form></form>").deed is None
