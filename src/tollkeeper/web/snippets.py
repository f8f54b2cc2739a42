"""One call as code a customer can paste: curl, Python, JavaScript. The key comes from the environment."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from tollkeeper.web.openapi import Operation


@dataclass(frozen=True, slots=True)
class Snippet:
    """``language`` is a name for people, ``lexer`` one for the highlighter."""

    id: str
    language: str
    lexer: str
    text: str


@dataclass(frozen=True, slots=True)
class Example:
    """A concrete call. ``body`` is JSON or None."""

    method: str
    url: str
    body: Any
    stream: bool = False


def example(operation: Operation, base: str) -> Example:
    """The operation with its examples filled in: what is required, and what has an example."""
    path = operation.path
    for parameter in operation.wants("path"):
        value = parameter.example if parameter.example is not None else f"<{parameter.row.name}>"
        path = path.replace(f"{{{parameter.row.name}}}", quote(str(value), safe="<>"))
    pairs = [
        (
            parameter.row.name,
            parameter.example if parameter.example is not None else f"<{parameter.row.name}>",
        )
        for parameter in operation.wants("query")
        if parameter.row.required or parameter.example is not None
    ]
    body = None
    if operation.body is not None and operation.body.media.endswith("json") and operation.body.example:
        body = json.loads(operation.body.example)
    query = "?" + urlencode(pairs, safe=":<>") if pairs else ""
    return Example(operation.method, f"{base}{path}{query}", body)


def variable(shop: str) -> str:
    """The environment variable that snippets read the key from: ``TWTAPI_KEY``."""
    return re.sub(r"[^A-Z0-9]+", "_", shop.upper()) + "_KEY"


def snippets(call: Example, key: str) -> tuple[Snippet, ...]:
    """The call in every language; ``key`` is the name of the environment variable."""
    return (
        Snippet("curl", "curl", "bash", _curl(call, key)),
        Snippet("python", "Python", "python", _python(call, key)),
        Snippet("javascript", "JavaScript", "javascript", _javascript(call, key)),
    )


def _curl(call: Example, key: str) -> str:
    lines = [f'curl "{call.url}"', f'-H "Authorization: Bearer ${key}"']
    if call.method != "GET":
        lines[0] = f'curl -X {call.method} "{call.url}"'
    if call.body is not None:
        text = json.dumps(call.body, ensure_ascii=False).replace("'", "'\\''")
        lines += ['-H "Content-Type: application/json"', f"-d '{text}'"]
    return " \\\n  ".join(lines)


def _python(call: Example, key: str) -> str:
    body = ""
    if call.body is not None:
        body = f"    json={_indented(_literal(call.body))},\n"
    return (
        "import os\n\nimport requests\n\n"
        f"answer = requests.{call.method.lower()}(\n"
        f"    {json.dumps(call.url, ensure_ascii=False)},\n"
        f'    headers={{"Authorization": f"Bearer {{os.environ[\'{key}\']}}"}},\n'
        f"{body}"
        "    timeout=30,\n"
        ")\n"
        "answer.raise_for_status()\n"
        "print(answer.json())\n"
    )


def _javascript(call: Example, key: str) -> str:
    options = [f"headers: {{ Authorization: `Bearer ${{process.env.{key}}}` }},"]
    if call.method != "GET":
        options.insert(0, f'method: "{call.method}",')
    if call.body is not None:
        options[-1] = (
            "headers: {\n"
            f"    Authorization: `Bearer ${{process.env.{key}}}`,\n"
            '    "Content-Type": "application/json",\n'
            "  },"
        )
        text = json.dumps(call.body, ensure_ascii=False, indent=2).replace("\n", "\n  ")
        options.append(f"body: JSON.stringify({text}),")
    inner = "\n  ".join(options)
    return (
        f"const answer = await fetch({json.dumps(call.url, ensure_ascii=False)}, {{\n  {inner}\n}});\n"
        "if (!answer.ok) throw new Error((await answer.json()).detail);\n"
        "console.log(await answer.json());\n"
    )


def _literal(value: Any) -> str:
    """JSON as Python would write it."""
    text = json.dumps(value, ensure_ascii=False, indent=4)
    words = {"true": "True", "false": "False", "null": "None"}
    return re.sub(r'"(?:[^"\\]|\\.)*"|\b(?:true|false|null)\b', lambda m: words.get(m[0], m[0]), text)


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")
