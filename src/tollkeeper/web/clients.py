"""A key put into programs that people have: their own names of settings, as their makers document them.

Checked in November 2026 against: developers.openai.com/codex (config.toml; the wire is
``responses`` only), docs.anthropic.com (Claude Code, LLM gateway), docs.cherry-ai.com (API address).
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from tollkeeper.core.terms import GateTerms

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
ALL = frozenset({CHAT, RESPONSES, MESSAGES})
_FORMS = {"chat": CHAT, "responses": RESPONSES, "messages": MESSAGES}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a key works: ``base`` without ``/v1``, the paths that are served there, a model to try."""

    base: str
    paths: frozenset[str]
    model: str


@dataclass(frozen=True, slots=True)
class Setting:
    """What to put where, for one program."""

    id: str
    program: str | Promise
    where: str | Promise
    lexer: str
    text: str


def at_gate(terms: GateTerms, gate_url: str) -> Place | None:
    """Our own gate as such a place; None if it serves no models."""
    paths = frozenset(route.path for route in terms.routes if route.path in ALL)
    model = next((model.name for model in terms.models if model.max_output), "")
    return Place(gate_url, paths, model) if paths and model else None


def at_relay(terms: GateTerms, base: str, served: Collection[str] = ("chat",)) -> Place | None:
    """A relay as such a place: it serves the models of the shop, in the forms that it is said to know."""
    model = next((model.name for model in terms.models if model.max_output), "")
    return Place(base, frozenset(_FORMS[word] for word in served if word in _FORMS), model) if model else None


def settings_for(place: Place, key: str, shop: str) -> tuple[Setting, ...]:
    """All programs that can work there; ``key`` is the name of the environment variable."""
    found = []
    if CHAT in place.paths:
        found += [_curl(place, key), _python(place, key), _javascript(place, key)]
    if MESSAGES in place.paths:
        found.append(_claude_code(place, key))
    if RESPONSES in place.paths:
        found.append(_codex(place, key, shop))
    if CHAT in place.paths:
        found.append(_desktop(place, key))
    return tuple(found)


def _curl(place: Place, key: str) -> Setting:
    body = json.dumps({"model": place.model, "messages": [{"role": "user", "content": "Hello"}]})
    text = (
        f'curl "{place.base}{CHAT}" \\\n  -H "Authorization: Bearer ${key}" \\\n'
        f"  -H \"Content-Type: application/json\" \\\n  -d '{body}'"
    )
    return Setting("curl", "curl", _("In a terminal"), "bash", text)


def _python(place: Place, key: str) -> Setting:
    text = (
        "import os\n\nfrom openai import OpenAI\n\n"
        f'client = OpenAI(base_url="{place.base}/v1", api_key=os.environ["{key}"])\n'
        "answer = client.chat.completions.create(\n"
        f'    model="{place.model}", messages=[{{"role": "user", "content": "Hello"}}]\n)\n'
        "print(answer.choices[0].message.content)\n"
    )
    return Setting("python", "Python", _("With the library: pip install openai"), "python", text)


def _javascript(place: Place, key: str) -> Setting:
    text = (
        'import OpenAI from "openai";\n\n'
        f'const client = new OpenAI({{ baseURL: "{place.base}/v1", apiKey: process.env.{key} }});\n'
        "const answer = await client.chat.completions.create({\n"
        f'  model: "{place.model}",\n  messages: [{{ role: "user", content: "Hello" }}],\n}});\n'
        "console.log(answer.choices[0].message.content);\n"
    )
    return Setting("javascript", "JavaScript", _("With the library: npm install openai"), "javascript", text)


def _claude_code(place: Place, key: str) -> Setting:
    text = (
        f'export ANTHROPIC_BASE_URL="{place.base}"\nexport ANTHROPIC_AUTH_TOKEN="${key}"\n'
        f'export ANTHROPIC_MODEL="{place.model}"\nunset ANTHROPIC_API_KEY\nclaude\n'
    )
    return Setting(
        "claude-code", "Claude Code", _("In the shell, or in env of ~/.claude/settings.json"), "bash", text
    )


def _codex(place: Place, key: str, shop: str) -> Setting:
    text = (
        f'model = "{place.model}"\nmodel_provider = "{shop}"\n\n[model_providers.{shop}]\nname = "{shop}"\n'
        f'base_url = "{place.base}/v1"\nenv_key = "{key}"\nwire_api = "responses"\n'
    )
    return Setting(
        "codex", "Codex", _("In ~/.codex/config.toml; the key stays in the environment"), "toml", text
    )


def _desktop(place: Place, key: str) -> Setting:
    text = f"Provider type: OpenAI\nAPI key: ${key}\nAPI address: {place.base}\nModel: {place.model}\n"
    return Setting(
        "desktop",
        _("Cherry Studio and the like"),
        _("Settings → Model providers → Add. Without /v1: the program adds it."),
        "text",
        text,
    )
