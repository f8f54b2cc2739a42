"""Documents that are drawn from the source agree with it, and every link leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tollkeeper.cli.main import COMMANDS, GROUPS, build
from tollkeeper.cli.states_page import page

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def test_states_are_drawn_from_the_tables() -> None:
    assert (ROOT / "docs" / "states.md").read_text() == page(), (
        "draw it anew: python -m tollkeeper.cli.states_page > docs/states.md"
    )


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in target and not target.startswith("mailto:"):
            assert (document.parent / target).exists(), f"{document.name} points to {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_documents_name_exist(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    for name in re.findall(r"`((?:src|tests|docs|shops|samples)/[\w./-]+\.\w+)`", text):
        assert (ROOT / name).exists(), f"{document.name} names {name}"


def test_decisions_have_their_parts() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert len(decisions) >= 8
    for path in decisions:
        text = path.read_text()
        for part in ("Status:", "## Context", "## Decision", "## Consequences", "## Alternatives"):
            assert part in text, f"{path.name} lacks {part}"


def commands() -> list[list[str]]:
    """Every command, groups opened."""
    app = build()
    found = [[name] for name in COMMANDS]
    for group in app.registered_groups:
        assert group.typer_instance is not None
        for command in group.typer_instance.registered_commands:
            assert command.callback is not None
            found.append([str(group.name), command.name or command.callback.__name__])
    return found


@pytest.mark.parametrize("name", [*COMMANDS, *GROUPS])
def test_a_command_alone_is_the_same_command(name: str) -> None:
    """A child process builds only its own command: what that one says must not differ."""
    alone, among_all = (CliRunner().invoke(app, [name, "--help"]) for app in (build(name), build()))
    assert alone.exit_code == among_all.exit_code == 0
    assert alone.output == among_all.output


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_has_help_with_an_example(command: list[str]) -> None:
    result = CliRunner().invoke(build(), [*command, "--help"])
    assert result.exit_code == 0
    assert "Example:" in result.output
