"""The sample API does what its document says, to the gate and to nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from samples.posts.app import DEMO_KEY, MAX_BODY, make_app
from samples.posts.data import load
from tests.samples.asgi import Answer, call
from tests.samples.schema import errors, resolve
from tollkeeper.catalog.shopfile import GATE_OWN, operations

DOCUMENT: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[3] / "shops" / "twtapi" / "openapi.yaml").read_text(encoding="utf-8")
)
KEY = {"x-upstream-key": DEMO_KEY}


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("POSTS_API_KEY", raising=False)
    return make_app()


def get(app: Any, url: str, **headers: str) -> Answer:
    return call(app, "GET", url, headers=KEY | headers)


def body_errors(method: str, path: str, answer: Answer) -> list[str]:
    responses = DOCUMENT["paths"][path][method.lower()]["responses"]
    response = resolve(DOCUMENT, responses[str(answer.status)])
    media = answer.headers["content-type"]
    return errors(DOCUMENT, response["content"][media]["schema"], answer.json())


CASES = [
    ("GET", "/v1/posts", "/v1/posts?limit=100&include=author", 200),
    ("GET", "/v1/posts", "/v1/posts?limit=0", 422),
    ("GET", "/v1/posts", "/v1/posts?limit=1e9", 422),
    ("GET", "/v1/posts", "/v1/posts?limit=%C2%B2", 422),
    ("GET", "/v1/posts", "/v1/posts?include=everything", 422),
    ("GET", "/v1/posts", "/v1/posts?cursor=nonsense", 400),
    ("GET", "/v1/posts", "/v1/posts?cursor=%00%ff", 400),
    ("GET", "/v1/posts/{id}", "/v1/posts/76925979395099545?include=author", 200),
    ("GET", "/v1/posts/{id}", "/v1/posts/1", 404),
    ("GET", "/v1/posts/{id}/replies", "/v1/posts/76925979395099545/replies", 200),
    ("GET", "/v1/posts/{id}/replies", "/v1/posts/x/replies", 404),
    ("GET", "/v1/users", "/v1/users?limit=100", 200),
    ("GET", "/v1/users/{id}", "/v1/users/59404219318272089", 200),
    ("GET", "/v1/users/{id}", "/v1/users/0", 404),
    ("GET", "/v1/users/by/username/{username}", "/v1/users/by/username/Romano74", 200),
    ("GET", "/v1/users/by/username/{username}", "/v1/users/by/username/nobody", 404),
    ("GET", "/v1/users/{id}/posts", "/v1/users/59404219318272089/posts", 200),
    ("GET", "/v1/users/{id}/followers", "/v1/users/59404219318272089/followers", 200),
    ("GET", "/v1/users/{id}/following", "/v1/users/59404219318272089/following?limit=3", 200),
    ("GET", "/v1/search/posts", "/v1/search/posts?q=%23cycling+rain&sort=top&since=2026-03-01", 200),
    ("GET", "/v1/search/posts", "/v1/search/posts?q=", 422),
    ("GET", "/v1/search/posts", "/v1/search/posts?q=-rain", 422),
    ("GET", "/v1/search/posts", "/v1/search/posts?q=rain&since=yesterday", 422),
    ("GET", "/v1/search/users", "/v1/search/users?q=lisbon", 200),
    ("GET", "/v1/search/users", "/v1/search/users", 422),
    ("GET", "/v1/trends", "/v1/trends?days=30", 200),
    ("GET", "/v1/trends", "/v1/trends?days=31", 422),
]


@pytest.mark.parametrize(("method", "path", "url", "status"), CASES)
def test_answers_are_as_documented(app: Any, method: str, path: str, url: str, status: int) -> None:
    answer = get(app, url)
    assert answer.status == status
    assert body_errors(method, path, answer) == []
    if status == 200:
        assert answer.json()["data"]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ({"ids": ["76925979395099545", "1", "1"]}, "application/json; charset=utf-8", 200),
        ({"ids": []}, "application/json", 422),
        ({"ids": ["1"] * 101}, "application/json", 422),
        ({"ids": [1]}, "application/json", 400),
        ([], "application/json", 400),
        (b"{", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b" " * (MAX_BODY + 1), "application/json", 413),
    ],
)
def test_lookup(app: Any, body: Any, content_type: str, status: int) -> None:
    answer = call(app, "POST", "/v1/posts/lookup", headers=KEY | {"content-type": content_type}, body=body)
    assert answer.status == status
    assert body_errors("POST", "/v1/posts/lookup", answer) == []
    if status == 200:
        assert [post["id"] for post in answer.json()["data"]] == ["76925979395099545"]
        assert answer.json()["missing"] == ["1"]


def test_every_documented_operation_is_tried_here() -> None:
    tried = {(method, path) for method, path, _, _ in CASES} | {("POST", "/v1/posts/lookup")}
    documented = {(method, path) for method, path, _ in operations(DOCUMENT) if path not in GATE_OWN}
    assert tried == documented


def _examples(node: Any) -> list[tuple[Any, Any]]:
    found = []
    if isinstance(node, dict):
        if "example" in node and "schema" in node:
            found.append((node["schema"], node["example"]))
        found += [pair for value in node.values() for pair in _examples(value)]
    elif isinstance(node, list):
        found += [pair for value in node for pair in _examples(value)]
    return found


def test_examples_fit_their_schemas() -> None:
    examples = _examples(DOCUMENT)
    assert len(examples) > 10
    assert [wrong for schema, value in examples for wrong in errors(DOCUMENT, schema, value)] == []


def test_the_example_of_a_post_is_a_real_answer(app: Any) -> None:
    content = DOCUMENT["paths"]["/v1/posts/{id}"]["get"]["responses"]["200"]["content"]["application/json"]
    shown = content["example"]
    assert get(app, f"/v1/posts/{shown['data']['id']}").json() == shown


@pytest.mark.parametrize("headers", [{}, {"x-upstream-key": ""}, {"x-upstream-key": DEMO_KEY + "x"}])
def test_only_the_holder_of_the_credential_is_answered(app: Any, headers: dict[str, str]) -> None:
    answer = call(app, "GET", "/v1/posts", headers=headers)
    assert answer.status == 401
    assert answer.json()["code"] == "upstream_credential"


def test_the_credential_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTS_API_KEY", "another")
    app = make_app()
    assert get(app, "/v1/posts").status == 401
    assert call(app, "GET", "/v1/posts", headers={"x-upstream-key": "another"}).status == 200


def test_pages_hold_every_record_once(app: Any) -> None:
    seen: list[str] = []
    url = "/v1/posts?limit=100"
    while url:
        page = get(app, url).json()
        seen += [post["id"] for post in page["data"]]
        assert page["meta"]["count"] == len(page["data"])
        cursor = page["meta"]["next_cursor"]
        url = f"/v1/posts?limit=100&cursor={cursor}" if cursor else ""
    assert seen == [post.id for post in load().posts]


def test_an_unchanged_answer_is_empty(app: Any) -> None:
    first = get(app, "/v1/trends")
    again = get(app, "/v1/trends", **{"if-none-match": f'"other", {first.headers["etag"]}'})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert get(app, "/v1/trends?days=30", **{"if-none-match": first.headers["etag"]}).status == 200


def test_search_means_what_it_says(app: Any) -> None:
    found = get(app, "/v1/search/posts?q=%22in+the+rain%22+-%23cycling&limit=100").json()["data"]
    assert found
    assert all("in the rain" in p["text"].lower() and "cycling" not in p["hashtags"] for p in found)
    found = get(app, "/v1/search/posts?q=from:romano74&sort=top&limit=100").json()["data"]
    likes = [post["metrics"]["likes"] for post in found]
    assert likes == sorted(likes, reverse=True)
    assert len({p["author_id"] for p in found}) == 1
    found = get(app, "/v1/search/posts?q=lang:de&limit=100").json()["data"]
    assert found
    assert {post["lang"] for post in found} == {"de"}


@pytest.mark.parametrize(
    ("method", "url", "status"), [("DELETE", "/v1/users", 405), ("GET", "/v2/users", 404)]
)
def test_what_is_not_there_is_a_problem(app: Any, method: str, url: str, status: int) -> None:
    answer = call(app, method, url, headers=KEY)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/problem+json")
    assert ("allow" in answer.headers) == (status == 405)
