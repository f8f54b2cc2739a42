"""Settings of programs hold the real names and the right addresses, and nothing of them is made up."""

from __future__ import annotations

import tomllib

from tollkeeper.catalog import publish, shopfile
from tollkeeper.config import environment
from tollkeeper.web import clients

TERMS = publish.gate_terms(shopfile.read_shop(environment.repository() / "shops" / "gettoken"), {})


def at_gate() -> dict[str, clients.Setting]:
    place = clients.at_gate(TERMS, "https://api.example")
    assert place is not None
    return {setting.id: setting for setting in clients.settings_for(place, "GETTOKEN_KEY", "gettoken")}


def test_every_program_is_there() -> None:
    assert list(at_gate()) == ["curl", "python", "javascript", "claude-code", "codex", "desktop"]


def test_openai_programs_get_v1_and_others_do_not() -> None:
    found = at_gate()
    assert 'base_url="https://api.example/v1"' in found["python"].text
    assert 'baseURL: "https://api.example/v1"' in found["javascript"].text
    assert 'ANTHROPIC_BASE_URL="https://api.example"\n' in found["claude-code"].text
    assert "API address: https://api.example\n" in found["desktop"].text


def test_the_configuration_of_codex_is_toml_that_it_knows() -> None:
    config = tomllib.loads(at_gate()["codex"].text)
    assert config["model_provider"] in config["model_providers"]
    provider = config["model_providers"]["gettoken"]
    assert provider == {
        "name": "gettoken",
        "base_url": "https://api.example/v1",
        "env_key": "GETTOKEN_KEY",
        "wire_api": "responses",
    }


def test_python_and_the_shell_can_be_parsed() -> None:
    compile(at_gate()["python"].text, "snippet", "exec")
    assert at_gate()["claude-code"].text.count("export ") == 3


def test_a_relay_gets_what_it_serves() -> None:
    place = clients.at_relay(TERMS, "https://relay.example")
    assert place is not None
    found = [setting.id for setting in clients.settings_for(place, "K", "s")]
    assert found == ["curl", "python", "javascript", "desktop"]
    place = clients.at_relay(
        TERMS, "https://relay.example", frozenset({"chat", "messages", "responses", "x"})
    )
    assert place is not None
    every = {setting.id: setting for setting in clients.settings_for(place, "K", "s")}
    assert list(every) == ["curl", "python", "javascript", "claude-code", "codex", "desktop"]
    assert 'ANTHROPIC_BASE_URL="https://relay.example"\n' in every["claude-code"].text
    assert 'base_url = "https://relay.example/v1"' in every["codex"].text


def test_a_shop_without_models_has_no_such_programs() -> None:
    twtapi = publish.gate_terms(shopfile.read_shop(environment.repository() / "shops" / "twtapi"), {})
    assert clients.at_gate(twtapi, "https://api.example") is None
    assert clients.at_relay(twtapi, "https://relay.example") is None
