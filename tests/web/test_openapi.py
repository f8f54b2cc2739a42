"""The document as rows and examples, and examples as code that runs."""

from __future__ import annotations

import ast
import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from tollkeeper.web import openapi, snippets

SHOPS = Path(__file__).parents[2] / "shops"

RAW: dict[str, Any] = yaml.safe_load("""
info: {title: Things, version: 2}
servers: [{url: https://api.example/}]
tags: [{name: B, description: second}, {name: Unused}]
paths:
  /a/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}, example: 7}]
    post:
      operationId: makeThing
      tags: [B]
      parameters:
        - {name: q, in: query, schema: {type: string, maxLength: 5, enum: [x, y], default: x}}
        - {name: must, in: query, required: true, schema: {type: string}}
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/Tree"}}}}
      responses:
        "201": {description: made, content: {application/json: {schema: {$ref: "#/components/schemas/Tree"}}}}
        "404": {$ref: "#/components/responses/none"}
components:
  responses: {none: {description: not there}}
  schemas:
    Named: {type: object, required: [name], properties: {name: {type: string, example: "it's"}}}
    Tree:
      allOf: [{$ref: "#/components/schemas/Named"}]
      properties:
        leaf: {type: [string, "null"], format: date-time}
        sizes: {type: array, items: {type: integer, minimum: 1}}
        inner: {$ref: "#/components/schemas/Tree"}
""")


def test_an_operation_with_everything() -> None:
    document = openapi.read(RAW)
    assert [tag.name for tag in document.tags] == ["B"]
    assert document.server == "https://api.example"
    operation = document.find("make-thing")
    assert operation is not None
    assert [p.row.name for p in operation.parameters] == ["id", "q", "must"]
    query = operation.wants("query")[0].row
    assert (query.choices, query.default, query.required) == (("x", "y"), "x", False)
    assert query.facts == ("at most 5 characters",)
    assert [response.status for response in operation.responses] == ["201", "404"]
    assert operation.responses[1].description == "not there"


def test_references_to_itself_end() -> None:
    operation = openapi.read(RAW).find("make-thing")
    assert operation is not None
    assert operation.body is not None
    rows = operation.body.rows
    assert [row.name for row in rows] == ["name", "leaf", "sizes", "inner"]
    depth, row = 0, rows[3]
    while row.inner:
        depth, row = depth + 1, row.inner[3]
    assert depth == openapi.MAX_DEPTH
    assert rows[0].required
    assert rows[1].type == "string (date-time) or null"
    assert (rows[2].type, rows[2].facts) == ("array of integer", ("at least 1",))
    assert json.loads(operation.body.example)["inner"]["name"] == "it's"


def test_a_schema_made_of_itself_ends() -> None:
    raw = {
        "components": {"schemas": {"A": {"allOf": [{"$ref": "#/components/schemas/A"}], "type": "object"}}}
    }
    assert openapi.type_name(raw, {"$ref": "#/components/schemas/A"}) == "object"


def test_types_in_words() -> None:
    either = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "number"}}]}
    assert openapi.type_name({}, either) == "string or array of number"
    assert openapi.type_name({}, {}) == "any"


def test_an_open_reference_is_empty() -> None:
    assert openapi.resolve({}, {"$ref": "#/components/schemas/None"}) == {}
    assert openapi.resolve({"a": {"$ref": "#/a"}}, {"$ref": "#/a"}) == {}


def test_a_folder_without_a_document(tmp_path: Path) -> None:
    assert openapi.load(tmp_path) is None


def test_curl_survives_the_shell() -> None:
    operation = openapi.read(RAW).find("make-thing")
    assert operation is not None
    call = snippets.example(operation, "http://gate")
    curl = snippets.snippets(call, "X_KEY")[0].text
    words = shlex.split(curl)
    assert words[:4] == ["curl", "-X", "POST", "http://gate/a/7?must=<must>"]
    assert json.loads(words[words.index("-d") + 1]) == call.body


@pytest.mark.parametrize("shop", ["twtapi"])
def test_snippets_of_the_house_shops_are_code(shop: str) -> None:
    document = openapi.load(SHOPS / shop)
    assert document is not None
    for tag in document.tags:
        for operation in tag.operations:
            call = snippets.example(operation, "http://127.0.0.1:8001")
            assert "{" not in call.url
            _, python, javascript = snippets.snippets(call, "SHOP_KEY")
            ast.parse(python.text)
            assert call.url in javascript.text
            assert "SHOP_KEY" in python.text


def test_the_name_of_the_key() -> None:
    assert snippets.variable("my-shop") == "MY_SHOP_KEY"


def test_python_literals() -> None:
    call = snippets.Example("POST", "http://x", {"a": [True, None, "true"]})
    tree = ast.parse(snippets.snippets(call, "K")[1].text)
    constants = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert True in constants
    assert None in constants
    assert "true" in constants
