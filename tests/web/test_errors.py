"""When something is wrong: a page for people, a problem document for programs, nothing leaked."""

from __future__ import annotations

import logging

import pytest
from django.db import DatabaseError, connection
from django.test import Client, RequestFactory

from tests.web.story import Story
from tollkeeper.web import errors

HTML = {"Accept": "text/html"}


def test_not_found_for_people_and_for_programs(story: Story) -> None:
    client = story.client()
    page = client.get("/there/is/nothing", headers=HTML)
    assert page.status_code == 404
    assert "There is nothing here" in page.content.decode()
    problem = client.get("/there/is/nothing", headers={"Accept": "application/json"})
    assert problem.status_code == 404
    assert problem["Content-Type"] == "application/problem+json"
    assert problem.json()["code"] == "not_found"


@pytest.mark.parametrize(
    ("view", "status"), [(errors.bad_request, 400), (errors.forbidden, 403), (errors.not_found, 404)]
)
def test_pages_by_name(story: Story, view: object, status: int) -> None:
    request = RequestFactory().get("/", headers=HTML)
    request.user, request.session = story.owner, {}  # type: ignore[assignment,attr-defined]
    answer = view(request, Exception("what went wrong inside"))  # type: ignore[operator]
    assert answer.status_code == status
    assert "what went wrong inside" not in answer.content.decode()


def test_a_broken_page_asks_for_nothing(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    logging.getLogger("django.request").setLevel(logging.CRITICAL)
    client = Client(raise_request_exception=False)

    def broken(*_: object, **__: object) -> None:
        raise DatabaseError("the book is closed")

    monkeypatch.setattr("tollkeeper.catalog.queries.current_shop", broken)
    answer = client.get("/", headers=HTML)
    assert answer.status_code == 500
    assert "Something broke on our side" in answer.content.decode()
    assert "the book is closed" not in answer.content.decode()
    logging.getLogger("django.request").setLevel(logging.NOTSET)


def test_health(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    client = story.client()
    good = client.get("/healthz")
    assert (good.status_code, good.json()) == (200, {"ok": True})
    assert good["Cache-Control"] == "no-store"
    assert client.post("/healthz").status_code == 405

    def closed(*_: object) -> None:
        raise DatabaseError("no")

    monkeypatch.setattr(type(connection), "cursor", closed, raising=False)
    monkeypatch.setattr("tollkeeper.web.health.connection.cursor", closed)
    bad = client.get("/healthz")
    assert (bad.status_code, bad.json()) == (503, {"ok": False})
