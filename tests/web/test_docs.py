"""The docs portal shows every call of the shop, and nothing a strict policy would block."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from tollkeeper.catalog import services
from tollkeeper.web import openapi

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    services.load_shop(settings.ENV.shop)
    return Client()


def document() -> openapi.Document:
    found = openapi.load(settings.ENV.shop)
    assert found is not None
    return found


def pages() -> list[str]:
    calls = [f"/docs/{op.slug}/" for tag in document().tags for op in tag.operations]
    return ["/docs/", "/docs/errors/", *calls]


class Strict(HTMLParser):
    """Finds what the content security policy forbids, and ids that stand twice."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "style" or name.startswith("on") or (value or "").startswith("javascript:"):
                self.wrong.append(f"<{tag} {name}={value}>")
            if name == "id":
                self.ids.append(value or "")
        if tag == "style" or (tag == "script" and not dict(attrs).get("src")):
            self.wrong.append(f"<{tag}>")


def test_every_page_answers_and_is_strict(client: Client) -> None:
    for page in pages():
        answer = client.get(page)
        assert answer.status_code == 200, page
        assert "unsafe-inline" not in answer["Content-Security-Policy"]
        strict = Strict()
        strict.feed(answer.content.decode())
        assert strict.wrong == [], page
        assert len(strict.ids) == len(set(strict.ids)), page


def test_the_index_names_every_call_with_its_cost(client: Client) -> None:
    html = client.get("/docs/").content.decode()
    for tag in document().tags:
        for operation in tag.operations:
            assert f'href="/docs/{operation.slug}/"' in html
    assert "5 calls" in html
    assert settings.ENV.gate_url in html
    assert "api.twtapi.example" not in html, "examples name the gate that is running"


def test_a_call_has_code_for_this_gate(client: Client) -> None:
    html = client.get("/docs/search-posts/").content.decode()
    text = unescape(re.sub(r"<[^>]+>", "", html))
    assert f'curl "{settings.ENV.gate_url}/v1/search/posts?q=%23cycling+rain' in text
    assert "requests.get(" in text
    assert "await fetch(" in text
    assert "$TWTAPI_KEY" in text
    assert "5 calls" in text


def test_refusals_can_be_linked(client: Client) -> None:
    html = client.get("/docs/errors/").content.decode()
    for code in ("rate_limited", "quota_spent", "key_unknown"):
        assert f'<tr id="{code}">' in html


@pytest.fixture
def gettoken(monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(settings, "ENV", replace(settings.ENV, shop=settings.ENV.shop.parent / "gettoken"))
    services.load_shop(settings.ENV.shop)
    return Client()


def test_a_shop_that_sells_tokens(gettoken: Client) -> None:
    for page in pages():
        assert gettoken.get(page).status_code == 200, page
    index = gettoken.get("/docs/").content.decode()
    assert "by tokens" in index
    rules = gettoken.get("/docs/errors/").content.decode()
    assert "tern-1-mini" in rules
    assert "0.48" in rules
    assert "Anthropic-compatible" in rules


def test_words_of_the_shop_in_another_language(gettoken: Client) -> None:
    html = gettoken.get("/docs/errors/", headers={"accept-language": "zh-hans"}).content.decode()
    assert "进阶" in html
    assert "额度" in html


def test_a_call_that_is_not_there(client: Client) -> None:
    assert client.get("/docs/no-such-call/").status_code == 404


def test_the_document_names_this_gate(client: Client) -> None:
    answer = client.get("/docs/openapi.json")
    assert answer.json()["servers"] == [{"url": settings.ENV.gate_url}]
    assert set(answer.json()["paths"]) == set(document().raw["paths"])
    assert answer["Access-Control-Allow-Origin"] == "*"


def test_a_shop_without_a_document(client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(openapi, "load", lambda folder: None)
    assert client.get("/docs/").status_code == 404
