"""The GetToken shop's document describes what its stand-in really answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from samples.llm.app import DEMO_KEY, make_app
from tests.samples.asgi import call
from tests.samples.schema import errors, resolve
from tollkeeper.catalog import shopfile
from tollkeeper.web import openapi, snippets

FOLDER = Path(__file__).parents[3] / "shops" / "gettoken"
DOCUMENT: dict[str, Any] = yaml.safe_load((FOLDER / "openapi.yaml").read_text(encoding="utf-8"))
OPERATIONS = [
    (method, path, node)
    for method, path, node in shopfile.operations(DOCUMENT)
    if path not in shopfile.GATE_OWN
]


@pytest.mark.parametrize(("method", "path", "node"), OPERATIONS, ids=[path for _, path, _ in OPERATIONS])
def test_the_example_of_each_call_is_answered_as_documented(
    method: str, path: str, node: dict[str, Any]
) -> None:
    document = openapi.load(FOLDER)
    assert document is not None
    operation = next(
        op for tag in document.tags for op in tag.operations if (op.method, op.path) == (method, path)
    )
    example = snippets.example(operation, "")
    if operation.body is not None:
        schema = node["requestBody"]["content"]["application/json"]["schema"]
        assert errors(DOCUMENT, schema, example.body) == []
    answer = call(make_app(DEMO_KEY), method, path, headers={"x-api-key": DEMO_KEY}, body=example.body)
    assert answer.status == 200
    good = node["responses"]["200"]["content"]["application/json"]
    assert errors(DOCUMENT, good["schema"], answer.json()) == []
    if "example" in good:
        assert good["example"] == answer.json()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/embeddings"])
@pytest.mark.parametrize(("status", "body"), [("400", {"model": "tern-1"}), ("404", {"model": "none"})])
def test_refusals_are_as_documented(path: str, status: str, body: dict[str, Any]) -> None:
    responses = DOCUMENT["paths"][path]["post"]["responses"]
    schema = resolve(DOCUMENT, responses[status])["content"]["application/json"]["schema"]
    answer = call(make_app(DEMO_KEY), "POST", path, headers={"x-api-key": DEMO_KEY}, body=body)
    assert answer.status == int(status)
    assert errors(DOCUMENT, schema, json.loads(answer.body)) == []


def test_the_price_book_holds_the_models_of_the_document() -> None:
    shop = shopfile.read_shop(FOLDER)
    assert list(shop.models) == DOCUMENT["components"]["schemas"]["ModelName"]["enum"]
